"""Statistics of the tail of a path, on trajectories whose exponents are known."""

import math

import numpy as np
import pytest
from evidence import CONVERGENCE, INCONCLUSIVE, judged, path, taus, travelled
from scipy import stats

from dirconv.claims.rules import direction
from dirconv.claims.statistics import LARGEST_SHIFT, decay, fisher, secants, student


@pytest.mark.parametrize("free", [1, 2, 3, 6, 30, 1000])
def test_intervals_are_students_and_fishers(free):
    assert student(free) == stats.t.ppf(0.975, free)
    assert fisher(free) == stats.f.ppf(0.95, 1, free) == pytest.approx(student(free) ** 2, rel=1e-12)


def test_secants_have_the_slope_of_the_speed():
    tau = np.linspace(0, 2, 4001)
    middle, speed, _ = secants(tau, tau**0.5)
    slope = np.polyfit(np.log(middle[-12:]), np.log(speed[-12:]), 1)[0]
    assert slope == pytest.approx(-0.5, abs=0.01)
    assert all(len(part) == 0 for part in secants(np.array([0.0, 1.0]), np.array([0.0, 1.0])))


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
