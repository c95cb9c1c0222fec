"""Rules about the length of the path: its integral, its chords, its exponent, and when it has stabilized."""

import math

import numpy as np
import pandas as pd
import pytest
from evidence import CONTRADICTED, INCONCLUSIVE, SUPPORTED, judged_claim, powers, stabilizing

TAU = np.linspace(0, 40, 801)


def travelled(speed):
    """∫ speed dτ from 0, by the trapezoidal rule on a fine grid."""
    fine = np.linspace(0, TAU[-1], 80001)
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
        (lambda t: np.exp(-0.4 * t), 3.0, SUPPORTED),
        (lambda t: 0.5 / (t + 0.02) ** 0.6, 60.0, CONTRADICTED),  # the square's integral is finite, the path is not
        (lambda t: np.exp(-0.4 * t), 0.1, INCONCLUSIVE),  # L ∫ tan² = 5/2 > 0.1: no flow does that
        (lambda t: 0.3 * np.exp(-0.01 * t), 60.0, INCONCLUSIVE),
    ],
)
def test_lyu_li(speed, rise, verdict):
    found = judged_claim("beyond_lyu_li", path=path(speed, rise))
    assert found.verdict == verdict and "∫ tan² ∠ dτ" in found.reason


def test_lyu_li_says_nothing_above_the_risk_at_zero():
    assert judged_claim("beyond_lyu_li", path=path(lambda t: np.exp(-t), 3.0, below=False)).verdict == INCONCLUSIVE


def test_the_square_is_what_it_is():
    found = judged_claim("beyond_lyu_li", path=path(lambda t: np.exp(-2 * t), 3.0))
    square = float(found.reason.split("dτ = ")[1].split(",")[0])
    assert abs(square - 0.25) < 2e-3  # ∫ e^(−4τ) dτ, by chords


@pytest.mark.parametrize(
    ("chords", "verdict"),
    [
        (lambda t: np.exp(-0.2 * t), SUPPORTED),
        (lambda t: 0.3 / (t + 0.02) ** 0.5, CONTRADICTED),
        (lambda t: 0.2 + 0 * t, CONTRADICTED),
    ],
)
def test_chords(chords, verdict):
    limit = pd.DataFrame({"tau": TAU, "chords": travelled(chords)})
    limit.loc[1:10:3, "chords"] = np.nan  # those that are not evenly spaced in ln τ
    assert judged_claim("nonsmooth_direction", path=path(chords, 1.0), limit=limit).verdict == verdict


# the exponent of the path


@pytest.mark.parametrize(
    ("kappa", "verdict"), [(0.5, SUPPORTED), (1.0, SUPPORTED), (0.0, CONTRADICTED), (-0.4, CONTRADICTED)]
)
def test_desingularized(kappa, verdict):
    assert judged_claim("path_desingularized", path=powers(kappa)).verdict == verdict
    assert judged_claim("path_desingularized", path=powers(kappa), degree=None).verdict == INCONCLUSIVE
    assert judged_claim("path_desingularized", path=powers(kappa).query("tau < 0.5")).verdict == INCONCLUSIVE


# when the direction has stabilized


@pytest.mark.parametrize(("rate", "verdict"), [(1.0, SUPPORTED), (2.5, CONTRADICTED), (0.5, SUPPORTED)])
def test_stabilization(rate, verdict):
    found = judged_claim("time_to_stabilize", limit=stabilizing(rate))
    assert found.verdict == verdict
    if rate == 1.0:
        assert math.isclose(found.value, 2.0, rel_tol=1e-6)


def test_stabilization_without_a_limit_in_sight_gives_a_lower_bound():
    tau = np.linspace(0, 8, 81)
    table = pd.DataFrame({"tau": tau, "to_end": 0.05 * (8 - tau), "ln_time": np.exp(2 * tau), "step": np.arange(81)})
    found = judged_claim("time_to_stabilize", limit=table)
    assert "lower bound" in found.reason and found.verdict != CONTRADICTED
