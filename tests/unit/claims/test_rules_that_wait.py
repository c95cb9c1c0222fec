"""Rules about limits wait: nothing is contradicted on account of a transient, a ridge, or the integrator."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from evidence import CONTRADICTED, INCONCLUSIVE, SUPPORTED, thresholds_of

from dirconv.claims import Evidence, judging
from dirconv.claims.rules import alignment, direction, path_length
from dirconv.claims.statistics import fall, largest_floor, steepest

RECORD = {"stop": "tau", "specification": {"degree": 6}}


def landings(end):
    """τ = 2^(k/8) − 1 up to `end`."""
    tau = 2 ** (np.arange(200) / 8) - 1
    return tau[tau <= end]


def travelled(speed, tau):
    """∫ speed dτ, by the midpoint rule."""
    fine = tau[:-1, None] + np.diff(tau)[:, None] * (np.arange(200) + 0.5) / 200
    return np.r_[0.0, np.cumsum(speed(fine).mean(1) * np.diff(tau))]


def run(speed, end, chords=None, residual=None):
    """A run with this speed; by chords it has another one, if given. residual: ε/‖θ̃‖ against τ."""
    tau = landings(end)
    tan, by_chords = speed(tau), travelled(chords or speed, tau)
    path = {"tau": tau, "zeta": travelled(speed, tau), "tan": tan, "cos": 1 / np.hypot(1, tan), "below": True}
    at = {"snapshot": np.arange(len(tau)), "tau": tau}
    with np.errstate(invalid="ignore"):
        slope = np.r_[np.nan, np.diff(by_chords) / np.diff(tau)]
    tables = {"path": pd.DataFrame(path), "chords": pd.DataFrame({**at, "zeta": by_chords, "speed": slope})}
    if residual is not None:
        epsilon = residual(tau)
        tables["kkt"] = pd.DataFrame({**at, "epsilon_relative": epsilon, "cos_best": np.sqrt(1 - epsilon**2)})
    return Evidence(tables, RECORD)


def by(rule, claim, evidence):
    return judging.outcome(rule, [evidence], thresholds_of(claim))


def moved(evidence):
    return by(direction, "direction_converges", evidence)


def still(tau):
    return np.full_like(tau, 0.2)


def creep(tau):
    return 0.3 / (tau + 0.1)


def ridge(tau):
    """A standstill from τ = 4 to 40, a decade, between two falls."""
    before = 0.3 * (1 + np.minimum(tau, 4.0)) ** -2.0
    return before * (1 + np.maximum(tau - 40.0, 0.0) / 4) ** -2.0


@pytest.mark.parametrize("speed", [still, creep])
@pytest.mark.parametrize("end", [1.5, 3.3, 8.0, 20.0])
def test_no_run_is_long_enough_to_contradict_before_transients_are_over(speed, end):
    assert moved(run(speed, end)).verdict == INCONCLUSIVE
    assert by(alignment, "alignment_smooth", run(still, end)).verdict == INCONCLUSIVE


def test_a_long_run_contradicts_where_the_speed_is_slower_than_that_of_a_transient():
    assert moved(run(still, 60)).verdict == CONTRADICTED
    assert moved(run(lambda tau: 0.3 * (tau + 0.1) ** -0.5, 60)).verdict == CONTRADICTED
    assert moved(run(creep, 60)).verdict == INCONCLUSIVE
    assert by(path_length, "control_mexican_hat", run(creep, 60)).verdict == CONTRADICTED


def test_a_ridge_of_a_decade_is_not_taken_for_the_limit_and_behind_it_the_path_is_finite():
    on_it, behind = moved(run(ridge, 40)), moved(run(ridge, 150))
    assert on_it.verdict == INCONCLUSIVE and "ridge" in on_it.reason
    assert behind.verdict == SUPPORTED


def test_the_direction_is_judged_by_chords_and_not_by_the_steps_lengths():
    """Steps to and fro lengthen ζ by a constant share of τ."""
    chattering = run(lambda tau: 0.2 + np.exp(-tau / 4), 60, chords=lambda tau: np.exp(-tau / 4))
    assert moved(chattering).verdict == SUPPORTED
    assert by(direction, "direction_converges", run(lambda t: np.exp(-t / 4), 60, chords=still)).verdict == CONTRADICTED


def test_without_chords_nothing_is_said_of_the_direction():
    bare = run(still, 60)
    del bare.tables["chords"]
    assert "no chords" in moved(bare).reason
    bare.tables["chords"] = run(still, 60).tables["chords"].iloc[:1]  # a method that lands nowhere
    assert moved(bare).verdict == INCONCLUSIVE


@pytest.mark.parametrize(
    ("half", "verdict"),
    [(still, CONTRADICTED), (lambda tau: 2 * (tau + 1) ** -1.5, INCONCLUSIVE)],
)
def test_a_run_at_half_the_tolerance_that_is_not_slow_speaks_for_a_transient(half, verdict):
    found = run(still, 60)
    found = moved(dataclasses.replace(found, pairs=((found, run(half, 60)),)))
    assert found.verdict == verdict
    assert verdict == CONTRADICTED or "half the tolerance" in found.reason


@pytest.mark.parametrize(
    ("residual", "verdict"),
    [(lambda tau: 0.3 + 0 * tau, CONTRADICTED), (lambda tau: 0.5 / (1 + tau) ** 0.5, INCONCLUSIVE)],
)
def test_a_residual_that_falls_speaks_for_a_transient(residual, verdict):
    for rule, claim in ((direction, "direction_converges"), (alignment, "alignment_smooth")):
        found = by(rule, claim, run(still, 60, residual=residual))
        assert found.verdict == verdict, rule
    assert verdict == CONTRADICTED or "KKT" in moved(run(still, 60, residual=residual)).reason


@pytest.mark.parametrize("part", ["reach", "large", "smooth"])
def test_no_flow_on_images_is_contradicted_wherever_it_ends(part):
    """Flows to τ = 7 to 40 (benchmarks/README.md), of which nothing is known but that the theorem holds for them."""
    record = json.loads((Path(__file__).parents[3] / "benchmarks" / "bundle.json").read_text())[part]
    path, landed = pd.DataFrame(record["path"]), pd.DataFrame(record["at_landings"])
    path = path.assign(tan=np.sqrt(1 - path["cos"] ** 2) / path["cos"], below=True)
    for count in range(8, len(landed) + 1):
        until = landed.head(count)
        chords = {
            "tau": [0.0, *until["tau"]],
            "zeta": [0.0, *until["chord"].cumsum()],
            "speed": [np.nan, *until["speed"]],
        }
        seen = path[path["tau"] <= until["tau"].iloc[-1] + 1e-6]
        evidence = Evidence({"path": seen, "chords": pd.DataFrame(chords).assign(snapshot=range(count + 1))}, RECORD)
        assert moved(evidence).verdict != CONTRADICTED
        assert by(alignment, "alignment_smooth", evidence).verdict != CONTRADICTED


# alignment


def test_a_tan_that_falls_to_a_constant_is_not_said_to_align():
    """0.2 + e^(−τ/5): cos is above 0.95 from τ = 11 on, and tan ∠ is still falling there."""
    drift = run(lambda tau: 0.2 + np.exp(-tau / 5), 12)
    found = by(alignment, "alignment_smooth", drift)
    assert found.low > 0.95
    assert found.verdict == INCONCLUSIVE
    tau = np.linspace(0, 12, 400)
    assert 0.15 < largest_floor(tau, travelled(lambda t: 0.2 + np.exp(-t / 5), tau), 1.0) < 0.21


def test_a_power_admits_no_floor():
    tau = landings(60)
    assert largest_floor(tau, travelled(lambda t: (1 + t) ** -1.2, tau), 1.0) < 0.1 * 61**-1.2
    assert largest_floor(tau, travelled(still, tau), 1.0) == pytest.approx(0.2, rel=0.02)
    assert largest_floor(tau[:5], tau[:5], 1.0) == np.inf


def aligned(evidence):
    thresholds = dataclasses.replace(thresholds_of("alignment_alexnet"), halving=np.inf)
    return judging.outcome(alignment, [evidence], thresholds)


def test_the_velocity_is_checked_against_the_speed_by_chords_and_the_certificate():
    def good(tau):
        return 0.3 / (1 + tau)

    assert aligned(run(good, 40)).verdict == SUPPORTED
    apart = aligned(run(good, 40, chords=lambda tau: 0.3 + 0 * tau))
    assert apart.verdict == INCONCLUSIVE and "by chords" in apart.reason
    assert aligned(run(good, 40, residual=lambda tau: 0.3 / (1 + tau))).verdict == SUPPORTED
    above = aligned(run(good, 40, residual=lambda tau: 0.4 + 0 * tau))
    assert above.verdict == INCONCLUSIVE and "multipliers" in above.reason
    bare = run(good, 40)
    del bare.tables["chords"]
    assert "no chords" in aligned(bare).reason


# statistics


def test_the_steepest_half_decade_is_found():
    tau = landings(60)
    assert steepest(tau, travelled(lambda t: (t + 0.01) ** -1.7, tau), 1.0) == pytest.approx(1.7, abs=0.05)
    on_it = tau[tau <= 40]
    assert steepest(on_it, travelled(ridge, on_it), 1.5) > 1.05
    assert steepest(on_it, travelled(ridge, on_it), 0.9) == pytest.approx(0.0, abs=0.02)
    assert steepest(tau[:4], tau[:4], 1.0) == -np.inf


def test_how_fast_values_fall():
    tau = landings(60)
    low, high = fall(tau, 3 * np.maximum(tau, 0.01) ** -0.7, 1.0)
    assert low <= 0.7 <= high < low + 0.02
    assert fall(tau[:3], tau[:3], 1.0) is None
    random = np.random.default_rng(0)
    intervals = np.array([fall(tau, np.exp(0.1 * random.normal(size=len(tau))), 1.0) for _ in range(200)])
    assert 0.93 <= ((intervals[:, 0] <= 0) & (intervals[:, 1] >= 0)).mean() < 1
