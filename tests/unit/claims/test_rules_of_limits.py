"""Rules about limits: the direction and the normalized margins converge."""

import numpy as np
import pytest
from evidence import CONTRADICTED, CONVERGENCE, INCONCLUSIVE, SUPPORTED, example_margins, judged, path, taus, travelled

from dirconv.claims.rules import margins, path_length
from dirconv.claims.statistics import decay


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
    found = judged(path_length, path(taus(4.0), exponent, speed), CONVERGENCE)
    assert found.verdict == verdict
    assert reason in found.reason
    assert found.low <= found.value <= found.high
    assert found.value == pytest.approx(exponent, abs=0.05)


def test_direction_that_decays_exponentially_converges():
    tau = taus(4.0)
    assert judged(path_length, path(tau, zeta=1 - np.exp(-2 * tau)), CONVERGENCE).verdict == SUPPORTED


@pytest.mark.parametrize("seed", range(10))
def test_direction_that_creeps_like_a_logarithm_is_never_said_to_converge(seed):
    tau = taus(4.0)
    pieces = np.diff(np.log(0.01 + tau)) * np.random.default_rng(seed).exponential(size=len(tau) - 1)
    found = judged(path_length, path(tau, zeta=np.concatenate([[0], np.cumsum(pieces)])), CONVERGENCE)
    assert found.verdict != SUPPORTED


def test_direction_whose_interval_holds_the_threshold_is_open():
    random = np.random.default_rng(2)
    tau = taus(4.0, 40)
    pieces = np.diff(travelled(tau, 1.1, 0.01)) * random.lognormal(0, 1, len(tau) - 1)
    found = judged(path_length, path(tau, zeta=np.concatenate([[0], np.cumsum(pieces)])), CONVERGENCE)
    assert found.low < 1 < found.high
    assert found.verdict == INCONCLUSIVE
    assert "decides nothing" in found.reason


def test_direction_is_judged_by_the_ends_of_the_interval():
    random = np.random.default_rng(3)
    tau = taus(4.0, 40)
    pieces = np.diff(travelled(tau, 3.0, 0.01)) * random.lognormal(0, 0.5, len(tau) - 1)
    table = path(tau, zeta=np.concatenate([[0], np.cumsum(pieces)]))
    low, value, high = (getattr(judged(path_length, table, CONVERGENCE), name) for name in ("low", "value", "high"))
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
        assert judged(path_length, table, {**CONVERGENCE, "slow": exponent, "exponent": exponent}).verdict == verdict


@pytest.mark.parametrize("end", [4.0, 12.0])
def test_a_slope_that_still_rises_contradicts_nothing(end):
    """exp(−√(τ/4)): integrable, and its slope, half the root, is below one in all that is seen."""
    tau = taus(end, 2000)
    root = np.sqrt(tau / 4)
    table = path(tau, zeta=8 * (1 - (1 + root) * np.exp(-root)))
    found = judged(path_length, table, CONVERGENCE)
    assert found.verdict == INCONCLUSIVE


# normalized margins

TAU = taus(4.0)

FAST, SLOW = travelled(TAU, 3.0, 1e-4), travelled(TAU, 0.5, 0.01)


@pytest.mark.parametrize(
    ("columns", "verdict", "value"),
    [
        ([1 - FAST, 2 + FAST / 2, 3 + 0 * TAU], SUPPORTED, 3.0),
        ([1 - FAST, 2 + FAST / 2, 3 + SLOW], CONTRADICTED, 0.5),  # the fastest-moving example counts
        ([1 + 0.01 * TAU, 2 + 1e-5 * FAST], CONTRADICTED, 0.0),  # at one speed
        ([1 + 0.01 * TAU, 2 + FAST], INCONCLUSIVE, 0.0),  # likewise, but it has fallen before: this may be a ridge
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
