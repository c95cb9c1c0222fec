"""Tail statistics and verdict rules on trajectories whose answer is known, verdicts over seeds, and the registry."""

import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats

from dirconv.claims import Evidence, Outcome, Verdict, judging, over_seeds, registry
from dirconv.claims.rules import alignment, direction, homogeneity, margins, risk, smoothed_margin
from dirconv.claims.statistics import LARGEST_SHIFT, decay, fisher, student
from dirconv.errors import UserError
from dirconv.options import modules, plugin

REGISTRY = Path(__file__).parents[2] / "config" / "claims.yaml"
SUPPORTED, CONTRADICTED, INCONCLUSIVE = Verdict.SUPPORTED, Verdict.CONTRADICTED, Verdict.INCONCLUSIVE


@pytest.mark.parametrize("free", [1, 2, 3, 6, 30, 1000])
def test_intervals_are_students_and_fishers(free):
    assert student(free) == stats.t.ppf(0.975, free)
    assert fisher(free) == stats.f.ppf(0.95, 1, free) == pytest.approx(student(free) ** 2, rel=1e-12)


def taus(end, count=400, first=0.02):
    """0, and then log-spaced."""
    return np.concatenate([[0.0], end * np.geomspace(first, 1, count)])


def travelled(tau, exponent, speed=1.0):
    """∫ speed · τ^(−exponent) dτ from the first τ above zero."""
    t = np.maximum(tau, tau[1])
    if exponent == 1:
        return speed * np.log(t / t[0])
    return speed * (t ** (1 - exponent) - t[0] ** (1 - exponent)) / (1 - exponent)


# the tail


@pytest.mark.parametrize("exponent", [-0.5, 0.0, 0.5, 1.0, 1.5, 3.0])
@pytest.mark.parametrize("end", [0.3, 5.0])
def test_the_exponent_of_a_power_law_is_found(exponent, end):
    tau = taus(end, 2000)
    found = decay(tau, travelled(tau, exponent, 0.7), decades=1.0)
    assert found.exponent == pytest.approx(exponent, abs=5e-3)
    assert found.low <= found.exponent <= found.high
    assert found.slope_low == pytest.approx(exponent, abs=0.02)
    assert found.slope_high == pytest.approx(exponent, abs=0.02)
    assert found.secants == 21  # all that the first τ leaves of two decades


@pytest.mark.parametrize("exponent", [0.5, 1.0, 1.2, 2.0, 4.0])
@pytest.mark.parametrize("shift", [0.02, 0.2, 1.0, 4.0])
def test_the_exponent_is_the_limit_and_not_the_slope_that_shows(exponent, shift):
    """(τ + τ₀)^(−P): what shows at the end is P τ/(τ + τ₀), less than half of P for the longest τ₀ here."""
    tau = taus(4.0, 2000)
    exact = np.log((tau + shift) / shift)
    if exponent != 1:
        exact = ((tau + shift) ** (1 - exponent) - shift ** (1 - exponent)) / (1 - exponent)
    found = decay(tau, exact, decades=1.0)
    assert found.low < exponent < found.high
    assert found.slope_low < found.slope_high < exponent + 0.01
    assert found.slope_low < 0.6 * exponent or shift < 4
    assert found.settled == (shift < 0.1) or shift == 0.2  # at its bound
    if exponent > 1 and shift <= 1:
        left = (4.0 + shift) ** (1 - exponent) / (exponent - 1)
        assert left < found.remaining
        assert found.remaining < 1.6 * left or found.low < 1.1


def test_an_exponential_is_the_longest_shift_that_is_allowed():
    tau = taus(6.0)
    found = decay(tau, 1 - np.exp(-3 * tau), decades=1.0)
    assert found.exponent == pytest.approx(3 * 6 * (1 + LARGEST_SHIFT), rel=0.2)  # P = c τ₀ as both grow
    assert math.exp(-18) / 3 < found.remaining < 10 * math.exp(-18) / 3


@pytest.mark.parametrize("rate", [0.2, 0.6, 1.5])
def test_a_slow_exponential_is_told_from_one_that_never_falls(rate):
    """It falls by 18 to 78 % in all: the slope that shows is below the rate, and P is not said to be below 1."""
    tau = taus(1.0, 2000)
    slow = decay(tau, (1 - np.exp(-rate * tau)) / rate, decades=1.0)
    assert slow.slope_high < rate
    assert slow.high > 1.05
    still = decay(tau, tau, decades=1.0)
    assert still.high < 1
    assert still.slope_ahead < 0.1


def test_creeping_like_a_logarithm_has_no_finite_rest():
    tau = taus(6.0)
    found = decay(tau, np.log1p(100 * tau), decades=1.0)
    assert found.low < 1 < found.high < 1.05
    assert found.settled
    assert found.remaining == math.inf


def test_points_sparser_than_the_bins_do():
    tau = taus(4.0, 20)
    found = decay(tau, travelled(tau, 1.5), decades=1.0)
    assert found.exponent == pytest.approx(1.5, abs=2e-2)
    assert found.secants == 19


@pytest.mark.parametrize("exponent", [0.5, 1.5])
@pytest.mark.parametrize("bins", [8, 12])
def test_the_interval_covers_at_least_as_often_as_it_says(exponent, bins):
    """Each bin's ln speed has an independent normal error. Not much more often than said, or it would be useless."""
    random = np.random.default_rng(11)
    edges = 5.0 * 10 ** np.linspace(-bins / 12, 0, bins + 1)
    middle = np.sqrt(edges[:-1] * edges[1:])
    trials, covered, width = 400, 0, []
    for _ in range(trials):
        moved = np.diff(edges) * middle**-exponent * np.exp(random.normal(0, 0.05, bins))
        found = decay(np.concatenate([[0], edges]), np.concatenate([[0, 0], np.cumsum(moved)]), bins / 12)
        covered += found.low <= exponent <= found.high
        width.append(found.high - found.low)
    assert covered / trials > 0.95 - 3 * math.sqrt(0.95 * 0.05 / trials)
    assert np.median(width) < (8 if bins == 8 else 1.5)


def test_chatter_within_a_bin_neither_hides_nor_makes_a_trend():
    random = np.random.default_rng(12)
    tau = taus(5.0, 4000)
    pieces = np.diff(travelled(tau, 1.5)) * random.exponential(size=len(tau) - 1)  # mean 1
    found = decay(tau, np.concatenate([[0], np.cumsum(pieces)]), decades=1.0)
    assert found.low < 1.5 < found.high
    assert found.high - found.low < 0.5


@pytest.mark.parametrize("seed", range(5))
def test_where_the_norm_goes_back_and_forth_first_passages_count(seed):
    tau = taus(5.0, 3000)
    x = travelled(tau, 1.5)
    back = tau.copy()
    back[10:-1] *= np.random.default_rng(seed).choice([1.0, 0.5], len(tau) - 11)
    found = decay(back, x, decades=1.0)
    assert found.exponent == pytest.approx(decay(tau, x, decades=1.0).exponent, abs=0.01)


def test_an_early_part_that_does_not_fit_is_left_out():
    tau = taus(5.0, 3000, first=1e-3)
    kinked = np.where(tau < 0.5, 7 * tau, 3.5 + travelled(tau, 1.5) - travelled(tau, 1.5)[np.searchsorted(tau, 0.5)])
    found = decay(tau, kinked, decades=0.9)
    assert found.exponent == pytest.approx(1.5, abs=0.03)
    assert found.secants < 12
    assert decay(tau, kinked, decades=3.0).exponent > 2.5  # a long transient, and then a fast decay


@pytest.mark.parametrize(
    ("tau", "x"),
    [
        ([], []),
        ([0.0], [0.0]),
        ([0.0, 1.0], [0.0, 1.0]),
        ([0.0, *(0.5 * 1.2 ** np.arange(6))], np.arange(7.0)),  # five secants above τ = 0
        ([0.0, -0.1, -0.2, -0.3, -0.4, -0.5, -0.6], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
        (list(np.linspace(0, 1, 50)), [3.0] * 50),  # nothing moves
    ],
)
def test_too_few_secants_are_no_tail(tau, x):
    assert decay(np.array(tau), np.array(x), decades=1.0) is None


def test_a_standstill_at_the_end_contradicts_nothing():
    tau = np.concatenate([[0], 10 ** np.linspace(-1, 1, 481)])
    stops = np.minimum(tau, 10 ** (1 - 4 / 12))
    assert not decay(tau, stops, decades=1.0).moving
    assert decay(tau, tau, decades=1.0).moving
    assert judged(direction, path(tau, zeta=stops), CONVERGENCE).verdict == INCONCLUSIVE


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("bad", [math.inf, math.nan, 1e308])
def test_what_is_not_a_speed_is_left_out(bad):
    tau = taus(4.0, 60)
    x = travelled(tau, 1.5)
    x[30:] += bad
    found = decay(tau, x, decades=1.0)
    assert found is None or math.isfinite(found.exponent)


def test_six_secants_are_enough():
    tau = np.array([0.0, *(0.5 * 1.2 ** np.arange(7))])
    assert decay(tau, travelled(tau, 1.5), decades=1.0).secants == 6


# the rules


def path(tau, exponent=3.0, speed=0.1, **columns):
    """A path whose tan ∠ = dζ/dτ = speed · τ^(−exponent); other columns replace what follows from that."""
    tan = speed * np.maximum(tau, tau[1]) ** -exponent
    table = {
        "tau": tau,
        "zeta": travelled(tau, exponent, speed),
        "tan": tan,
        "cos": 1 / np.sqrt(1 + tan**2),
        "ln_risk": -np.exp(2 * tau),
        "below": np.ones(len(tau), dtype=bool),
        "smoothed_margin": 1 + tau,
        "error": np.full(len(tau), 1e-6),
    }
    return pd.DataFrame({**table, **columns})


def judged(rule, table, thresholds, stop="steps", degree=2, **tables):
    evidence = Evidence({"path": table, **tables}, {"specification": {"degree": degree}, "stop": stop})
    return judging.outcome(rule, [evidence], rule.Thresholds(**thresholds))


CONVERGENCE = {"exponent": 1.0, "resolution": 0.05, "remaining": 0.3, "tau": 1.0, "decades": 1.0}
ALIGNMENT = {"cos": 0.95, "stalled": 0.995, "decay": 0.1, "tau": 1.0, "decades": 1.0}
SMOOTHED = {"fall": 0.001, "error_factor": 10.0}
RISK = {"growth_ratio": 1.0, "log_inverse_risk": 30.0, "rise": 2.0}
ON_THE_FLOW = [
    pytest.param(direction, CONVERGENCE, id="direction"),
    pytest.param(alignment, ALIGNMENT, id="alignment"),
    pytest.param(smoothed_margin, SMOOTHED, id="smoothed_margin"),
    pytest.param(risk, RISK, id="risk"),
    pytest.param(margins, CONVERGENCE, id="margins"),
]


def example_margins(tau, columns):
    """A table of normalized margins: a row for each snapshot and example."""
    parts = [
        pd.DataFrame({"snapshot": s, "tau": tau[s], "example": np.arange(len(columns)), "by_norm": row})
        for s, row in enumerate(np.column_stack(columns))
    ]
    return pd.concat(parts, ignore_index=True)


def good(rule):
    """Tables that the rule finds its claim supported by."""
    tau = taus(4.0)
    table = path(tau, ln_risk=-np.exp(2.02 * tau))
    return {"path": table, "margins": example_margins(tau, [1 - 0.1 * np.exp(-2 * tau), 2 + 0 * tau])}


@pytest.mark.parametrize(("rule", "thresholds"), ON_THE_FLOW)
@pytest.mark.parametrize("stop", ["tau", "log_inverse_risk", "steps", "cos", "tail"])
def test_a_run_that_reached_its_goal_can_support(rule, thresholds, stop):
    tables = good(rule)
    assert judged(rule, tables.pop("path"), thresholds, stop, **tables).verdict == SUPPORTED


@pytest.mark.parametrize(("rule", "thresholds"), ON_THE_FLOW)
@pytest.mark.parametrize("stop", ["step_underflow", "not_finite", "precision", "None"])
def test_a_run_that_did_not_reach_its_goal_decides_nothing(rule, thresholds, stop):
    tables = good(rule)
    found = judged(rule, tables.pop("path"), thresholds, stop, **tables)
    assert found.verdict == INCONCLUSIVE
    assert stop in found.reason


@pytest.mark.parametrize(("rule", "thresholds"), ON_THE_FLOW)
def test_a_run_whose_assumption_is_not_met_decides_nothing(rule, thresholds):
    tables = good(rule)
    table = tables.pop("path").assign(below=False)
    found = judged(rule, table, thresholds, **tables)
    assert found.verdict == INCONCLUSIVE
    assert "assumption" in found.reason


@pytest.mark.parametrize(("rule", "thresholds"), ON_THE_FLOW)
def test_what_happens_before_the_assumption_holds_does_not_count(rule, thresholds):
    """Rows with ℒ ≥ ℓ(0), on which everything that a claim denies happens, put in front."""
    tables = good(rule)
    after = tables.pop("path")
    tau = np.linspace(0, 3, 50)
    before = path(tau, below=False, zeta=5 * tau, cos=0.1, tan=10.0, ln_risk=5 + 0 * tau, smoothed_margin=9 - 2 * tau)
    shifted = after.assign(tau=after["tau"] + 3, zeta=after["zeta"] + 15)
    rows = tables["margins"].assign(tau=lambda t: t["tau"] + 3, snapshot=lambda t: t["snapshot"] + 50)
    early = example_margins(tau, [3 * np.sin(20 * tau), -np.cos(30 * tau)])
    both = pd.concat([before, shifted], ignore_index=True)
    found = judged(rule, both, thresholds, margins=pd.concat([early, rows], ignore_index=True))
    expected = judged(rule, after, thresholds, **tables)
    assert found.verdict == expected.verdict == SUPPORTED
    assert found.value == pytest.approx(expected.value, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("rule", [direction, alignment, margins])
def test_a_short_tau_decides_nothing_even_where_the_whole_is_long(rule):
    thresholds = ALIGNMENT if rule is alignment else CONVERGENCE
    tau = taus(0.9)
    late = {"path": path(tau, speed=1e-3), "margins": example_margins(tau, [1 - 1e-3 * np.exp(-20 * tau), 2 + 0 * tau])}
    found = judged(rule, late["path"], thresholds, margins=late["margins"])
    assert found.verdict == INCONCLUSIVE
    assert "grew by only 0.9" in found.reason
    before = path(np.linspace(0, 3, 50), below=False, zeta=0.0)
    both = pd.concat([before, late["path"].assign(tau=tau + 3)], ignore_index=True)
    rows = late["margins"].assign(tau=lambda t: t["tau"] + 3)
    again = judged(rule, both, thresholds, margins=rows)
    assert (again.verdict, again.reason) == (found.verdict, found.reason)
    assert again.value == pytest.approx(found.value, rel=1e-9)


@pytest.mark.parametrize(
    ("exponent", "speed", "verdict", "reason"),
    [
        (3.0, 0.5, SUPPORTED, "remain to be travelled"),
        (1.5, 0.1, SUPPORTED, "remain to be travelled"),
        (1.5, 5.0, INCONCLUSIVE, "too much may remain"),
        (0.9, 1e-3, CONTRADICTED, "too slowly"),
        (0.5, 0.1, CONTRADICTED, "too slowly"),
        (0.0, 0.1, CONTRADICTED, "too slowly"),
        (-1.0, 0.1, CONTRADICTED, "too slowly"),
    ],
)
def test_direction(exponent, speed, verdict, reason):
    found = judged(direction, path(taus(4.0), exponent, speed), CONVERGENCE)
    assert found.verdict == verdict
    assert reason in found.reason
    assert found.low <= found.value <= found.high
    assert found.value == pytest.approx(exponent, abs=0.05)


def test_direction_that_decays_exponentially_converges():
    tau = taus(4.0)
    assert judged(direction, path(tau, zeta=1 - np.exp(-2 * tau)), CONVERGENCE).verdict == SUPPORTED


@pytest.mark.parametrize("seed", range(10))
def test_direction_that_creeps_like_a_logarithm_is_never_said_to_converge(seed):
    tau = taus(4.0)
    pieces = np.diff(np.log(0.01 + tau)) * np.random.default_rng(seed).exponential(size=len(tau) - 1)
    found = judged(direction, path(tau, zeta=np.concatenate([[0], np.cumsum(pieces)])), CONVERGENCE)
    assert found.verdict != SUPPORTED


def test_direction_whose_interval_holds_the_threshold_is_open():
    random = np.random.default_rng(2)
    tau = taus(4.0, 40)
    pieces = np.diff(travelled(tau, 1.1, 0.01)) * random.lognormal(0, 1, len(tau) - 1)
    found = judged(direction, path(tau, zeta=np.concatenate([[0], np.cumsum(pieces)])), CONVERGENCE)
    assert found.low < 1 < found.high
    assert found.verdict == INCONCLUSIVE
    assert "decides nothing" in found.reason


def test_direction_is_judged_by_the_ends_of_the_interval():
    random = np.random.default_rng(3)
    tau = taus(4.0, 40)
    pieces = np.diff(travelled(tau, 3.0, 0.01)) * random.lognormal(0, 0.5, len(tau) - 1)
    table = path(tau, zeta=np.concatenate([[0], np.cumsum(pieces)]))
    low, value, high = (getattr(judged(direction, table, CONVERGENCE), name) for name in ("low", "value", "high"))
    assert 1.2 < low < value - 0.1 < high - 0.2
    found = decay(tau, table["zeta"].to_numpy(), decades=1.0)
    steady = high if found.settled else max(high, found.slope_ahead)  # a slope that may still rise contradicts nothing
    for exponent, verdict in (
        (low - 0.01, SUPPORTED),
        (low + 0.01, INCONCLUSIVE),
        (value, INCONCLUSIVE),
        (steady - 0.01, INCONCLUSIVE),
        (steady + 0.01, CONTRADICTED),
    ):
        assert judged(direction, table, {**CONVERGENCE, "resolution": 0.0, "exponent": exponent}).verdict == verdict


@pytest.mark.parametrize("end", [4.0, 12.0])
def test_a_slope_that_still_rises_contradicts_nothing(end):
    """exp(−√(τ/4)): integrable, and its slope, half the root, is below one in all that is seen."""
    tau = taus(end, 2000)
    root = np.sqrt(tau / 4)
    table = path(tau, zeta=8 * (1 - (1 + root) * np.exp(-root)))
    found = judged(direction, table, CONVERGENCE)
    assert found.verdict == INCONCLUSIVE


@pytest.mark.parametrize(("rule", "thresholds"), ON_THE_FLOW)
def test_all_that_follows_the_first_step_below_counts(rule, thresholds):
    """A step that takes the risk back over ℓ(0) is part of the path."""
    tables = good(rule)
    table = tables.pop("path")
    back = table.assign(below=table.index % 50 != 20)
    assert judged(rule, back, thresholds, **tables) == judged(rule, table, thresholds, **tables)
    if rule is smoothed_margin:
        fallen = back.assign(smoothed_margin=back["smoothed_margin"].where(back["below"], 0.5))
        assert judged(rule, fallen, thresholds).verdict == CONTRADICTED


@pytest.mark.parametrize("rule", [direction, alignment])
def test_too_few_steps_decide_nothing(rule):
    tau = np.array([0.0, 2.0, 3.0, 4.0])
    found = judged(rule, path(tau), ALIGNMENT if rule is alignment else CONVERGENCE)
    assert found.verdict == INCONCLUSIVE
    assert "too few" in found.reason


@pytest.mark.parametrize(
    ("exponent", "speed", "verdict"),
    [
        (1.5, 0.3, SUPPORTED),  # tan 0.04 at τ = 4
        (0.3, 0.3, SUPPORTED),  # tan 0.2 and decaying
        (0.0, 1.0, CONTRADICTED),  # cos 0.71 for ever
        (-0.5, 0.5, CONTRADICTED),  # the angle grows
        (1.0, 3.0, INCONCLUSIVE),  # tan 0.75, but it decays
        (-0.5, 0.01, INCONCLUSIVE),  # tan 0.02, but it grows
    ],
)
def test_alignment(exponent, speed, verdict):
    table = path(taus(4.0), exponent, speed)
    found = judged(alignment, table, ALIGNMENT)
    assert found.verdict == verdict
    late = table.loc[table["tau"] >= 3.6, "cos"]
    assert (found.value, found.low, found.high) == (late.median(), late.min(), late.max())


def test_one_late_misalignment_is_enough_against_support_and_none_is_for_contradiction():
    table = path(taus(4.0), 1.5, 0.3)
    late, early = table["cos"].copy(), table["cos"].copy()
    late.iloc[-3] = 0.5
    early[(table["tau"] > 1) & (table["tau"] < 3)] = 0.5
    assert judged(alignment, table.assign(cos=late), ALIGNMENT).verdict == INCONCLUSIVE
    assert judged(alignment, table.assign(cos=early), ALIGNMENT).verdict == SUPPORTED


TAU = taus(4.0)
FAST, SLOW = travelled(TAU, 3.0, 1e-4), travelled(TAU, 0.5, 0.01)


@pytest.mark.parametrize(
    ("columns", "verdict", "value"),
    [
        ([1 - FAST, 2 + FAST / 2, 3 + 0 * TAU], SUPPORTED, 3.0),
        ([1 - FAST, 2 + FAST / 2, 3 + SLOW], CONTRADICTED, 0.5),  # the fastest-moving example counts
        ([1 + 0.01 * TAU, 2 + FAST], CONTRADICTED, 0.0),  # at one speed
        ([1 + 0.3 * np.sin(2 * TAU), 2 + FAST], INCONCLUSIVE, None),  # a turn and a quarter
        ([1 - travelled(TAU, 1.3, 0.5), 2 + FAST], INCONCLUSIVE, 1.3),  # too much remains
    ],
)
def test_margins(columns, verdict, value):
    table = example_margins(TAU, columns)
    found = judged(margins, path(TAU), CONVERGENCE, margins=table)
    assert found.verdict == verdict
    if value is not None:
        assert found.value == pytest.approx(value, abs=0.1)
    shuffled = table.sample(frac=1, random_state=0)  # the order of rows means nothing
    assert judged(margins, path(TAU), CONVERGENCE, margins=shuffled) == found
    scaled = table.assign(by_norm=1e-9 * table["by_norm"])  # nor does the unit of the margins
    assert judged(margins, path(TAU), CONVERGENCE, margins=scaled).value == pytest.approx(found.value, rel=1e-9)


def test_margins_without_a_degree_decide_nothing():
    table = example_margins(TAU, [np.nan * TAU, np.nan * TAU])
    found = judged(margins, path(TAU), CONVERGENCE, degree=None, margins=table)
    assert found.verdict == INCONCLUSIVE


@pytest.mark.parametrize("degree", [1, 2, 6])
@pytest.mark.parametrize(
    ("ratio", "end", "verdict", "reason"),
    [
        (1.05, 400.0, SUPPORTED, "reached"),
        (1.5, 400.0, SUPPORTED, "reached"),
        (0.9, 400.0, INCONCLUSIVE, "more slowly"),
        (1.05, 20.0, INCONCLUSIVE, "reached only 20"),
    ],
)
def test_risk(degree, ratio, end, verdict, reason):
    tau = np.linspace(0, math.log(end / 0.5) / ratio / degree, 300)
    found = judged(risk, path(tau, ln_risk=-0.5 * np.exp(degree * ratio * tau)), RISK, degree=degree)
    assert found.verdict == verdict
    assert reason in found.reason
    assert (found.value, found.low, found.high) == pytest.approx((ratio,) * 3, rel=1e-6)


def test_a_risk_that_rises_again_contradicts():
    tau = np.linspace(0, 3, 300)
    ln_risk = -np.exp(2.1 * tau)
    ln_risk[-1] = ln_risk[:-1].min() + math.log(2) + 1e-3
    assert judged(risk, path(tau, ln_risk=ln_risk), RISK).verdict == CONTRADICTED
    ln_risk[-1] = ln_risk[:-1].min() + math.log(2) - 1e-3
    assert judged(risk, path(tau, ln_risk=ln_risk), RISK).verdict != CONTRADICTED


def test_a_risk_that_falls_while_the_norm_does_not_grow_decides_nothing():
    tau = np.concatenate([np.linspace(0, 1, 100), np.full(200, 1.0)])
    found = judged(risk, path(tau, ln_risk=-np.linspace(1, 400, 300)), RISK)
    assert found.verdict == INCONCLUSIVE
    assert "norm did not grow" in found.reason


def test_a_risk_on_few_steps_decides_nothing():
    tau = np.linspace(0, 3, 10)
    assert "too few" in judged(risk, path(tau, ln_risk=-np.exp(2.1 * tau)), RISK).reason


def test_the_growth_ratio_is_the_least_of_the_second_half():
    """A slow first half does not matter; a slow late part does, however fast the rest."""
    growth = np.linspace(0, 8, 801)

    def with_ratios(*ratios):
        steps = np.repeat(np.diff(growth)[0] / 2 / np.array(ratios), 800 // len(ratios))
        tau = np.concatenate([[0], np.cumsum(steps)])
        return judged(risk, path(tau, ln_risk=-np.exp(growth)), RISK)

    assert with_ratios(0.5, 0.5, 1.2, 1.3).verdict == SUPPORTED
    assert with_ratios(0.5, 0.5, 1.2, 1.3).value == pytest.approx(1.2, rel=1e-6)
    slow = with_ratios(2, 2, 2, 2, 2, 2, 2, 0.8)
    assert slow.verdict == INCONCLUSIVE
    assert slow.value == pytest.approx(0.8, rel=1e-6)


def falling(by, error):
    """A smoothed margin that rises, falls once by that share, and rises again; tan ∠ = 1."""
    tau = np.linspace(0, 2, 100)
    smoothed = np.exp(tau)
    smoothed[60] = smoothed[59] * (1 - by)
    return path(tau, smoothed_margin=smoothed, tan=1.0, error=error)


@pytest.mark.parametrize(
    ("by", "error", "verdict"),
    [
        (0.0005, 0.0, SUPPORTED),  # within the tolerance
        (0.01, 1e-6, CONTRADICTED),
        (0.01, 4e-4, CONTRADICTED),  # ten times L tan∠ · e is 0.008
        (0.01, 6e-4, INCONCLUSIVE),  # ten times L tan∠ · e is 0.012
    ],
)
def test_smoothed_margin(by, error, verdict):
    found = judged(smoothed_margin, falling(by, error), SMOOTHED)
    assert found.verdict == verdict
    assert found.value == pytest.approx(by, rel=1e-9)
    assert f"{2 * error:.2g}" in found.reason


def test_many_small_falls_add_up():
    tau = np.linspace(0, 2, 100)
    found = judged(smoothed_margin, path(tau, smoothed_margin=np.exp(-0.1 * tau), tan=0.1), SMOOTHED)
    assert found.verdict == CONTRADICTED
    assert found.value == pytest.approx(1 - math.exp(-0.2), rel=1e-12)


def test_a_collapse_below_zero_is_a_fall():
    """The run climbs above ℓ(0) again, where ã is negative, and comes back: the claim was wrong in between."""
    margin = np.linspace(1.0, 1.7, 100)
    margin[40:50] = -0.5
    found = judged(smoothed_margin, path(np.linspace(0, 2, 100), smoothed_margin=margin, tan=0.1), SMOOTHED)
    assert found.verdict == CONTRADICTED
    assert found.value == pytest.approx(1 + 0.5 / margin[39], rel=1e-12)


def test_a_smoothed_margin_that_never_falls_has_a_fall_of_zero():
    assert judged(smoothed_margin, path(taus(4.0)), SMOOTHED).value == 0


@pytest.mark.parametrize(("rule", "thresholds"), [(smoothed_margin, SMOOTHED), (risk, RISK)])
def test_a_network_without_a_degree_decides_nothing_about_its_power_of_the_norm(rule, thresholds):
    table = path(taus(4.0), smoothed_margin=math.nan)
    assert judged(rule, table, thresholds, degree=None).verdict == INCONCLUSIVE


@pytest.mark.parametrize(
    ("deviations", "verdict", "value"),
    [
        ([1e-15, 3e-14, 0.0], SUPPORTED, 3e-14),
        ([1e-15, 0.4, 1e-14], CONTRADICTED, 0.4),
        ([1e-15, 1e-4, 1e-14], INCONCLUSIVE, 1e-4),
    ],
)
def test_homogeneity(deviations, verdict, value):
    table = pd.DataFrame({"scale": [0.5, 2.0, 4.0], "deviation": deviations})
    found = judged(homogeneity, None, {"supported": 1e-6, "contradicted": 1e-3}, homogeneity=table)
    assert (found.verdict, found.value) == (verdict, value)
    assert "c = 2" in found.reason


@pytest.mark.parametrize("deviations", [[1e-15, math.nan, 1e-15], [math.nan] * 3])
def test_a_deviation_that_is_no_number_supports_nothing(deviations):
    table = pd.DataFrame({"scale": [0.5, 2.0, 4.0], "deviation": deviations})
    found = judged(homogeneity, None, {"supported": 1e-6, "contradicted": 1e-3}, homogeneity=table)
    assert found.verdict != SUPPORTED


def test_homogeneity_of_a_network_without_a_degree_is_open():
    table = pd.DataFrame({"scale": [2.0], "deviation": [1e-15]})
    found = judged(homogeneity, None, {"supported": 1e-6, "contradicted": 1e-3}, degree=None, homogeneity=table)
    assert found.verdict == INCONCLUSIVE
    assert "no degree" in found.reason


# the verdict over seeds


def outcomes(*verdicts):
    return [Outcome(v, float(i), i - 0.5, i + 0.5, f"seed {i}") for i, v in enumerate(verdicts)]


@pytest.mark.parametrize(
    ("verdicts", "whole", "reason"),
    [
        ([SUPPORTED, SUPPORTED, SUPPORTED], SUPPORTED, "seed 0"),
        ([SUPPORTED, INCONCLUSIVE, SUPPORTED], INCONCLUSIVE, "seed 1"),
        ([SUPPORTED, INCONCLUSIVE, CONTRADICTED], CONTRADICTED, "seed 2"),
        ([CONTRADICTED, SUPPORTED, SUPPORTED], CONTRADICTED, "seed 0"),
        ([INCONCLUSIVE], INCONCLUSIVE, "seed 0"),
    ],
)
def test_one_seed_contradicts_and_all_must_support(verdicts, whole, reason):
    found = over_seeds(outcomes(*verdicts))
    assert (found.verdict, found.reason) == (whole, reason)
    assert (found.value, found.low, found.high) == (np.median(range(len(verdicts))), -0.5, len(verdicts) - 0.5)


def test_the_verdict_over_seeds_leaves_out_what_is_not_known():
    found = over_seeds([Outcome(SUPPORTED, 2.0), Outcome(INCONCLUSIVE), Outcome(SUPPORTED, 4.0, 3.0, 9.0)])
    assert (found.verdict, found.value, found.low, found.high) == (INCONCLUSIVE, 3.0, 2.0, 9.0)
    assert over_seeds([Outcome(INCONCLUSIVE)]).value is None


# the registry


def test_the_registry_itself_is_valid():
    claims = registry.load(REGISTRY)
    written = yaml.safe_load(REGISTRY.read_text())
    assert list(claims) == [
        name for key, entry in written.items() if key != "shared" for name in (key, *entry.get("checks", []))
    ]
    tables = {*modules("measures"), "homogeneity"}
    for problem in modules("problems"):
        tables |= set(plugin("problems", problem, "problem").TABLES)
    for name, claim in claims.items():
        module = registry.rule(claim.rule)
        assert module.RULE.threshold in claim.thresholds, name
        assert claim.tables == module.RULE.tables
        assert claim.table == module.RULE.tables[0]
        assert set(module.RULE.tables) <= tables
        assert module.Thresholds(**claim.thresholds)
        assert registry.entry(claim)["thresholds"] == claim.thresholds


@pytest.mark.parametrize("name", modules("claims.rules"))
def test_every_rule_says_what_it_reads_and_names(name):
    module = registry.rule(name)
    rule = module.RULE
    assert rule.tables and rule.statistic
    assert rule.threshold in module.Thresholds.__dataclass_fields__
    assert not rule.assumption or rule.tables[0] == "path"
    assert "Supported" in rule.judged and "Contradicted" in rule.judged and "`" not in rule.judged
    for threshold in module.Thresholds.__dataclass_fields__:
        assert threshold in rule.judged


ENTRY = {
    "part": "paper",
    "title": "A claim",
    "statement": "It is so.",
    "source": "here",
    "runs": ["alexnet"],
    "rule": "direction",
    "thresholds": {"exponent": 1, "resolution": 0.05, "remaining": 0.3, "tau": 1.0, "decades": 1.0},
    "expected": "supported",
    "figure": "path_length",
}


def written(folder, value, **options):
    path = folder / "claims.yaml"
    path.write_text(value if isinstance(value, str) else yaml.safe_dump(value, **options))
    return path


def test_an_entry_is_read(tmp_path):
    claim = registry.load(written(tmp_path, {"c": ENTRY}))["c"]
    assert registry.entry(claim) == {**ENTRY, "assumptions": [], "must_be": [], "halved": None, "checks_claim": None}


CHECK = {"title": "A check", "statement": "It is so by another way.", "rule": "snapshot_chords"}


def test_a_check_stands_after_its_claim_and_inherits_from_it(tmp_path):
    claim = {**ENTRY, "must_be": ["supported"], "halved": "alexnet_half", "checks": {"d": CHECK}}
    own = {**CHECK, "runs": ["other"], "expected": "open", "must_be": ["inconclusive"]}
    claims = registry.load(written(tmp_path, {"c": claim, "a": {**ENTRY, "checks": {"b": own}}}, sort_keys=False))
    assert list(claims) == ["c", "d", "a", "b"]
    assert registry.checks(claims, "c") == ["d"]
    assert registry.checks(claims, "d") == []
    # a verdict that must hold, and a run to pair with, are the claim's own
    assert registry.entry(claims["d"]) == {
        **{**ENTRY, **CHECK, "checks_claim": "c", "assumptions": [], "must_be": [], "halved": None}
    }
    assert registry.entry(claims["b"]) == {**{**ENTRY, **own, "checks_claim": "a", "assumptions": [], "halved": None}}


def test_thresholds_are_shared_by_anchors(tmp_path):
    text = """
shared:
  limit: &limit {exponent: 1, resolution: 0.05, remaining: 0.3, tau: 1.0, decades: 1.0}
c: &claim {part: paper, title: t, statement: s, source: h, runs: [r], rule: direction, thresholds: *limit,
  expected: open, figure: path_length}
d: {<<: *claim, rule: lyu_li, thresholds: {<<: *limit, violation: 0.05}}
"""
    claims = registry.load(written(tmp_path, text))
    assert list(claims) == ["c", "d"]
    assert claims["d"].thresholds == {**claims["c"].thresholds, "violation": 0.05}


def test_the_registry_reads_like_the_paper():
    claims = registry.load(REGISTRY)
    parts = [claim.part for claim in claims.values()]
    assert parts == sorted(parts, key=list(registry.PARTS).index), "entries stand in the order of their parts"
    titles = [claim.title for claim in claims.values()]
    assert len(set(titles)) == len(titles)
    for name, claim in claims.items():
        for text in (claim.title, claim.statement, claim.source):
            assert not re.search(r"\b([Aa]s|claim) above\b|^(And|Do they|Does it)\b", text), f"{name} leans on another"
        assert name.startswith("control_") <= (claim.part == "control")
        if claim.part == "control":
            assert claim.expected in claim.must_be, f"{name}: a control says what must come out"
            assert re.search(r"\bmust\b", claim.title), f"{name}: a control is stated by what must come out"


def without(key):
    return {k: v for k, v in ENTRY.items() if k != key}


def thresholds(**changes):
    values = {**ENTRY["thresholds"], **changes}
    return {**ENTRY, "thresholds": {k: v for k, v in values.items() if v != "-"}}


@pytest.mark.parametrize(
    ("entry", "where"),
    [
        ({**ENTRY, "titel": "x"}, "c.titel: unknown key; did you mean 'title'?"),
        (without("title"), "c.title: missing"),
        (without("rule"), "c.rule: missing"),
        ({**ENTRY, "rule": "directon"}, "c.rule: unknown 'directon'; did you mean 'direction'?"),
        ({**ENTRY, "rule": "_common"}, "c.rule: unknown '_common'"),
        (thresholds(exponant=1.0), "c.thresholds.exponant: unknown key; did you mean 'exponent'?"),
        (thresholds(tau="-"), "c.thresholds.tau: missing"),
        (thresholds(tau="long"), "c.thresholds.tau: "),
        ({**ENTRY, "thresholds": [1]}, "c.thresholds: "),
        ({**ENTRY, "figure": "path_lenght"}, "c.figure: unknown 'path_lenght'; did you mean 'path_length'?"),
        ({**ENTRY, "expected": "true"}, "c.expected: "),
        ({**ENTRY, "must_be": ["open"]}, "c.must_be.0: "),
        ({**ENTRY, "must_be": "supported"}, "c.must_be: "),
        ({**ENTRY, "runs": "alexnet"}, "c.runs: "),
        ({**ENTRY, "runs": [1]}, "c.runs.0: "),
        ("text", "c: expected a mapping of part, title, statement"),
        (without("part"), "c.part: missing"),
        ({**ENTRY, "part": "papers"}, "c.part: "),
        ({**ENTRY, "checks_claim": "good"}, "c.checks_claim: put the entry under `checks` of the claim that it checks"),
        ({**ENTRY, "checks": ["d"]}, "c.checks: expected a mapping from ids to checks"),
        ({**ENTRY, "checks": {"d": "text"}}, "c.checks.d: expected a mapping of title"),
        ({**ENTRY, "checks": {"d": {**CHECK, "checks": {"e": CHECK}}}}, "c.checks.d.checks: a check has no checks"),
        ({**ENTRY, "checks": {"d": {**CHECK, "part": "paper"}}}, "c.checks.d.part: a check stands in the part of its"),
        ({**ENTRY, "checks": {"d": {**CHECK, "checks_claim": "c"}}}, "c.checks.d.checks_claim: "),
        ({**ENTRY, "checks": {"d": {**CHECK, "ruel": "x"}}}, "c.checks.d.ruel: unknown key; did you mean 'rule'?"),
        ({**ENTRY, "checks": {"d": {"statement": "x"}}}, "c.checks.d.title: missing"),
        ({**ENTRY, "checks": {"c": CHECK}}, "c.checks.c: another claim or check has that id"),
        ({**ENTRY, "checks": {"good": CHECK}}, ""),
    ],
)
def test_an_entry_that_is_wrong_is_one_line_that_names_it(tmp_path, entry, where):
    path = written(tmp_path, {"good": ENTRY, "c": entry})
    with pytest.raises(UserError) as caught:
        registry.load(path)
    assert str(caught.value).startswith(f"{path}: {where}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "twice"),
    [
        ("a: {b: 1}\nc: 1\na: {b: 2}\n", "line 3: the key 'a'"),
        ("a:\n  b: {x: 1, y: 2,\n    x: 1}\n", "line 3: the key 'x'"),
        ("a:\n  - {x: 1}\n  - {x: 1, x: 2}\n", "line 3: the key 'x'"),
        ("a: &a {checks: {d: 1}}\nb: *a\nc:\n  checks:\n    d: 1\n    d: 1\n", "line 6: the key 'd'"),
    ],
)
def test_a_key_that_is_there_twice_is_one_line_that_names_it(tmp_path, content, twice):
    path = written(tmp_path, content)
    with pytest.raises(UserError) as caught:
        registry.load(path)
    assert str(caught.value) == f"{path}: {twice} is there twice"


@pytest.mark.parametrize("content", ["", "[]", "3", "{}", "a: [", "- a\n- b", "shared: {a: 1}"])
def test_a_file_that_is_no_registry_is_one_line_that_names_it(tmp_path, content):
    path = written(tmp_path, content)
    with pytest.raises(UserError) as caught:
        registry.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_registry_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match="not found"):
        registry.load(tmp_path / "none.yaml")
