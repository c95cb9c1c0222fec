"""Lines, rates, remainders and exponents that are fitted to what a run has recorded."""

import math

import numpy as np
import pytest
from evidence import powers, stabilizing

from dirconv.claims.desingularize import exponent
from dirconv.claims.fits import line, rate, remainder


def test_a_line_and_its_interval():
    x = np.arange(20.0)
    exact = line(x, 3 - 2 * x)
    assert math.isclose(exact.slope, -2) and exact.high - exact.low < 1e-9
    random = np.random.default_rng(0)
    covered = sum((found := line(x, 0.5 * x + random.normal(size=20))).low <= 0.5 <= found.high for _ in range(400))
    assert 0.92 < covered / 400 < 0.98


def test_the_remainder_of_an_exponential_fall():
    table = stabilizing(0.7)
    rest = remainder(table["tau"].to_numpy(), table["to_end"].to_numpy())
    assert math.isclose(rest, math.exp(-0.7 * 8), rel_tol=1e-6)
    line_ = 1 - np.linspace(0, 1, 81)  # a fall at constant speed has no end in sight
    assert remainder(np.linspace(0, 8, 81), line_) == math.inf


def test_a_rate_is_found_above_rounding():
    tau = np.linspace(0, 8, 33)
    for kappa in (0.5, 3.0):
        value, low, high = rate(tau, np.exp(-kappa * tau) + 1e-17)
        assert value == pytest.approx(kappa, rel=1e-3)
        assert low <= value <= high
    assert rate(tau[:3], np.ones(3)) is None


@pytest.mark.parametrize("kappa", [-0.4, 0.0, 0.25, 0.5, 1.0, 1.5])
def test_the_exponent_of_a_power_is_found_without_its_limit(kappa):
    path = powers(kappa)
    found = exponent(*(path[name].to_numpy() for name in ("tau", "zeta", "smoothed_margin")), 1.0)
    assert found.kappa == pytest.approx(kappa, abs=0.02)
    assert found.low <= kappa <= found.high
