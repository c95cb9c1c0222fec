"""The rules of the reviewers' questions, on tables whose answer is known: each can support, contradict, say nothing."""

import math

import numpy as np
import pandas as pd
import pytest

from dirconv import artifacts
from dirconv.claims import Evidence, Verdict, registry
from dirconv.claims._line import line
from dirconv.claims.rules import stabilization
from dirconv.options import parse
from dirconv.stages import claim as stage

SUPPORTED, CONTRADICTED, INCONCLUSIVE = Verdict.SUPPORTED, Verdict.CONTRADICTED, Verdict.INCONCLUSIVE
REGISTRY = registry.load("config/claims.yaml")
TAU = np.linspace(0, 8, 161)


def thresholds(claim):
    entry = REGISTRY[claim]
    return parse(registry.rule(entry.rule).Thresholds, entry.thresholds, claim)


def judged(claim, stop="tau", degree=2, path=None, **tables):
    rule = registry.rule(REGISTRY[claim].rule)
    tables["path"] = pd.DataFrame({"tau": TAU, "zeta": 0.0, "below": True}) if path is None else path
    record = {"stop": stop, "specification": {"degree": degree, "loss": "exponential"}}
    return rule.judge(Evidence(tables, record), thresholds(claim))


def travelled(speed):
    """∫ speed dτ from 0, by the trapezoidal rule on a fine grid."""
    fine = np.linspace(0, TAU[-1], 16001)
    whole = np.r_[0, np.cumsum((speed(fine)[1:] + speed(fine)[:-1]) / 2 * np.diff(fine))]
    return np.interp(TAU, fine, whole)


def path(speed, rise, below=True):
    return pd.DataFrame(
        {
            "tau": TAU,
            "zeta": travelled(speed),
            "below": below,
            "smoothed_margin": np.exp(np.linspace(0, rise, len(TAU))),
        }
    )


@pytest.mark.parametrize(
    ("speed", "rise", "verdict"),
    [
        (lambda t: np.exp(-2 * t), 3.0, SUPPORTED),
        (lambda t: 0.5 / (t + 0.02) ** 0.9, 60.0, CONTRADICTED),  # the square's integral is finite, the path is not
        (lambda t: np.exp(-2 * t), 0.1, INCONCLUSIVE),  # L ∫ tan² = 1/2 > 0.1: no flow does that
        (lambda t: 0.3 * np.exp(-0.05 * t), 9.0, INCONCLUSIVE),
    ],
)
def test_lyu_li(speed, rise, verdict):
    found = judged("beyond_lyu_li", path=path(speed, rise))
    assert found.verdict == verdict and "∫ tan² ∠ dτ" in found.reason


def test_lyu_li_says_nothing_above_the_risk_at_zero():
    assert judged("beyond_lyu_li", path=path(lambda t: np.exp(-t), 3.0, below=False)).verdict == INCONCLUSIVE


def test_the_square_is_what_it_is():
    found = judged("beyond_lyu_li", path=path(lambda t: np.exp(-2 * t), 3.0))
    square = float(found.reason.split("dτ = ")[1].split(",")[0])
    assert abs(square - 0.25) < 2e-3  # ∫ e^(−4τ) dτ, by chords


@pytest.mark.parametrize(
    ("chords", "verdict"),
    [
        (lambda t: np.exp(-t), SUPPORTED),
        (lambda t: 0.3 / (t + 0.02), CONTRADICTED),
        (lambda t: 0.2 + 0 * t, CONTRADICTED),
    ],
)
def test_chords(chords, verdict):
    limit = pd.DataFrame({"tau": TAU, "chords": travelled(chords)})
    limit.loc[1:40:3, "chords"] = np.nan  # those that are not evenly spaced in ln τ
    assert judged("nonsmooth_direction", limit=limit).verdict == verdict


@pytest.mark.parametrize(
    ("speed", "verdict"),
    [
        (lambda t: np.exp(-t), SUPPORTED),
        (lambda t: 0.2 + 0 * t, CONTRADICTED),
        (lambda t: 0 * t, INCONCLUSIVE),
    ],  # nothing moves
)
def test_chords_between_snapshots_count_from_the_risk_at_zero_on(speed, verdict):
    below = TAU >= 0.5
    path = pd.DataFrame({"tau": TAU, "zeta": 0.0, "below": below})
    moved = np.where(TAU >= 0.5, np.diff(travelled(lambda t: speed(t - 0.5)), prepend=0.0), 0.3)
    direction = pd.DataFrame({"tau": TAU, "angle_from_previous": np.r_[np.nan, moved[1:]]})
    found = judged("binary_adaptation_by_chords", path=path, direction=direction)
    assert found.verdict == verdict
    unmet = path.assign(below=False)
    assert judged("binary_adaptation_by_chords", path=unmet, direction=direction).verdict == INCONCLUSIVE


def ladder(order, floor=0.0, fractions=(0.03125, 0.0625, 0.125, 0.25, 0.5), reached=0.1):
    rows = [
        {
            "method": "ln_gd",
            "fraction": f,
            "step_size": 0.01 * f,
            "tau": tau,
            "last": False,
            "angle": floor + 0.01 * f**order,
        }
        for f in fractions
        for tau in (0.05, 0.1)
        if tau <= reached
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("table", "verdict", "order"),
    [
        (ladder(1.0), SUPPORTED, 1.0),
        (ladder(2.0), CONTRADICTED, 2.0),
        (ladder(0.0, floor=0.1), CONTRADICTED, 0.0),  # elsewhere, however small the steps
        (ladder(1.0, fractions=(0.25, 0.5)), INCONCLUSIVE, None),
        (ladder(1.0, reached=0.0), INCONCLUSIVE, None),
        (ladder(1.0).assign(angle=1e-9), INCONCLUSIVE, None),  # below the flow's own error
    ],
)
def test_step_order(table, verdict, order):
    table = table.reindex(columns=["method", "fraction", "step_size", "tau", "last", "angle"])
    table["last"] = table["last"].astype(bool)
    found = judged("discrete_time", descents=table)
    assert found.verdict == verdict
    assert found.value is None if order is None else math.isclose(found.value, order, abs_tol=1e-6)


def stabilizing(rate, end=8.0, degree=2):
    """D = e^(−rate τ) and ln t = e^(degree τ), so that k = degree/rate."""
    tau = np.linspace(0, end, 81)
    to_end = np.exp(-rate * tau) - np.exp(-rate * end)
    return pd.DataFrame({"tau": tau, "to_end": to_end, "ln_time": np.exp(degree * tau), "step": np.arange(81)})


@pytest.mark.parametrize(("rate", "verdict"), [(1.0, SUPPORTED), (2.5, CONTRADICTED), (0.5, SUPPORTED)])
def test_stabilization(rate, verdict):
    found = judged("time_to_stabilize", limit=stabilizing(rate))
    assert found.verdict == verdict
    if rate == 1.0:
        assert math.isclose(found.value, 2.0, rel_tol=1e-6)


def test_the_remainder_of_an_exponential_fall():
    table = stabilizing(0.7)
    rest = stabilization.remainder(table["tau"].to_numpy(), table["to_end"].to_numpy())
    assert math.isclose(rest, math.exp(-0.7 * 8), rel_tol=1e-6)
    line_ = 1 - np.linspace(0, 1, 81)  # a fall at constant speed has no end in sight
    assert stabilization.remainder(np.linspace(0, 8, 81), line_) == math.inf


def test_stabilization_without_a_limit_in_sight_gives_a_lower_bound():
    tau = np.linspace(0, 8, 81)
    table = pd.DataFrame({"tau": tau, "to_end": 0.05 * (8 - tau), "ln_time": np.exp(2 * tau), "step": np.arange(81)})
    found = judged("time_to_stabilize", limit=table)
    assert "lower bound" in found.reason and found.verdict != CONTRADICTED


@pytest.mark.parametrize(
    ("start", "end", "tau", "verdict"),
    [
        (0.5, 0.7, 2.0, SUPPORTED),
        (0.5, 0.4, 2.0, CONTRADICTED),
        (0.5, 0.51, 2.0, INCONCLUSIVE),
        (0.5, 0.7, 0.3, INCONCLUSIVE),
    ],
)
def test_late_radius(start, end, tau, verdict):
    table = pd.DataFrame(
        {"tau": [-0.1, 0, tau], "below": [False, True, True], "test_error": 0.1, "radius_attack_q50": [9.0, start, end]}
    )
    found = judged("late_generalization", generalization=table)
    assert found.verdict == verdict and math.isclose(found.value, end / start)


def test_late_radius_needs_the_assumption():
    table = pd.DataFrame({"tau": [0.0], "below": [False], "test_error": 0.1, "radius_attack_q50": [9.0]})
    assert judged("late_generalization", generalization=table).verdict == INCONCLUSIVE


def losses(logistic, polynomial=0.3, end=4.0):
    rows = []
    for tau in np.linspace(0, end, 17):
        for loss, angle in (("exponential", 0.0), ("logistic", logistic(tau)), ("polynomial", polynomial)):
            rows.append({"loss": loss, "tau": tau, "below": True, "function_angle": angle, "function_to_end": angle})
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("table", "verdict"),
    [
        (losses(lambda t: 0.5 * math.exp(-2 * t)), SUPPORTED),
        (losses(lambda t: 0.2), CONTRADICTED),
        (losses(lambda t: 0.2 * math.exp(-0.5 * t)), INCONCLUSIVE),  # on its way
        (losses(lambda t: 0.0, end=0.5), INCONCLUSIVE),
    ],
)
def test_one_direction(table, verdict):
    found = judged("general_losses", losses=table)
    assert found.verdict == verdict
    if verdict != INCONCLUSIVE:
        assert "polynomial 0.3" in found.reason


@pytest.mark.parametrize(
    ("turned", "end", "verdict"),
    [(0.05, 2.0, SUPPORTED), (0.9, 2.0, CONTRADICTED), (0.2, 2.0, INCONCLUSIVE), (0.05, 0.5, INCONCLUSIVE)],
)
def test_start_to_limit(turned, end, verdict):
    limit = pd.DataFrame({"tau": [0.0, end], "to_start": [0.0, turned], "margin": [0.1, 0.2]})
    found = judged("initial_risk", limit=limit)
    assert found.verdict == verdict and found.value == turned


@pytest.mark.parametrize(
    ("below", "steps", "verdict"), [(True, 50, SUPPORTED), (True, 2000, INCONCLUSIVE), (False, 50, CONTRADICTED)]
)
def test_reached(below, steps, verdict):
    start = pd.DataFrame(
        {"step": [0, steps], "below": [False, below], "time": [0.0, 3.0], "ln_risk": [2.0, 1.0],
         "smoothed_margin": [-1.0, 0.1], "train_error": [0.5, 0.1]}
    )  # fmt: skip
    found = judged("initial_risk_reached", start=start)
    assert found.verdict == verdict and found.value == steps


def of_width(width, time, below=True):
    tables = {
        "start": pd.DataFrame({"below": [False, below], "time": [0.0, time]}),
        "limit": pd.DataFrame({"margin": [0.1, 0.2]}),
    }
    return Evidence(tables, {"specification": {"problem": {"width": width}}})


@pytest.mark.parametrize(
    ("runs", "verdict"),
    [
        ([of_width(w, 10 / w) for w in (2, 4, 8, 16)], SUPPORTED),
        ([of_width(w, 10 * w) for w in (2, 4, 8, 16)], CONTRADICTED),
        ([of_width(w, t) for w, t in ((2, 1.0), (4, 2.0), (8, 1.0), (16, 1.5))], INCONCLUSIVE),
        ([of_width(2, 1.0, below=False), *(of_width(w, 10 / w) for w in (4, 8, 16))], INCONCLUSIVE),
        ([of_width(2, 1.0), of_width(4, 1.0, below=False), of_width(8, 1.0)], INCONCLUSIVE),
    ],
)
def test_wider(runs, verdict):
    rule = registry.rule("width_slope")
    assert rule.judge_across(runs, thresholds("overparameterization")).verdict == verdict


def test_a_rule_across_runs_answers_seed_by_seed(tmp_path):
    entry = REGISTRY["overparameterization"]
    members = []
    for name, width in (("width_2", 2), ("width_4", 4), ("width_8", 8), ("width_16", 16)):
        for seed in (3, 4):
            one = of_width(width, (10 / width) if seed == 3 else 10 * width)
            folder = tmp_path / name / f"seed{seed}"
            for table in ("start", "limit"):
                artifacts.write_table(folder / f"{table}.parquet", one.tables[table])
            artifacts.write_manifest(folder, ["start.parquet", "limit.parquet"], one.record)
            members.append(f"{name}/seed{seed}")
    found = stage.judge("overparameterization", entry, tmp_path, members)
    assert {seed: outcome["verdict"] for seed, outcome in found["seeds"].items()} == {
        "seed3": SUPPORTED,
        "seed4": CONTRADICTED,
    }
    assert found["verdict"] == CONTRADICTED and len(found["evidence"]) == 3 * 8


def test_a_line_and_its_interval():
    x = np.arange(20.0)
    exact = line(x, 3 - 2 * x)
    assert math.isclose(exact.slope, -2) and exact.high - exact.low < 1e-9
    random = np.random.default_rng(0)
    covered = sum((found := line(x, 0.5 * x + random.normal(size=20))).low <= 0.5 <= found.high for _ in range(400))
    assert 0.92 < covered / 400 < 0.98
