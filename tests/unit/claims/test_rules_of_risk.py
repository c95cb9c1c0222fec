"""Rules about the risk and the smoothed margin."""

import math

import numpy as np
import pytest
from evidence import CONTRADICTED, INCONCLUSIVE, RISK, SMOOTHED, SUPPORTED, judged, path, taus

from dirconv.claims.rules import risk, smoothed_margin


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
