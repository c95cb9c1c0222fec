"""Small fits that rules and figures share: a straight line, an exponential rate, and what an exponential has left."""

import math
from typing import NamedTuple

import numpy as np

from dirconv.claims.statistics import student

NUMERICS = 1
GOES_THROUGH = ("tail_statistics",)
ROUNDING = 1e-12  # values below carry more rounding than signal
FEWEST_POINTS = 4  # of an exponential rate


class Line(NamedTuple):
    """Slope of a least-squares line, and its 95 % interval: Student's."""

    slope: float
    low: float
    high: float


class Rate(NamedTuple):
    """κ of values ∝ e^(−κτ), and its 95 % interval."""

    kappa: float
    low: float
    high: float


def line(x: np.ndarray, y: np.ndarray) -> Line:
    """A straight line through at least three points (k,) at distinct x; the interval is for independent errors."""
    centred = x - x.mean()
    square = float(centred @ centred)
    slope = float(centred @ y) / square
    residuals = y - y.mean() - slope * centred
    width = student(len(x) - 2) * math.sqrt(float(residuals @ residuals) / (len(x) - 2) / square)
    return Line(slope, slope - width, slope + width)


def rate(tau: np.ndarray, values: np.ndarray) -> Rate | None:
    """κ of values ∝ e^(−κτ), arrays (k,): how fast they fall in τ = ln‖W‖, that is, by which power of 1/‖W‖.

    A straight line through ln(values) over the second half of the τ at which they are above rounding. None with fewer
    than four such points. The interval is Student's at 95 % with half as many degrees of freedom as points: deviations
    of such a curve from the line are not noise, and neighbours are correlated.
    """
    known = values > ROUNDING
    tau, values = tau[known], values[known]
    late = tau >= 0.5 * tau.max(initial=0.0)
    tau, logarithm = tau[late], np.log(values[late])
    if len(tau) < FEWEST_POINTS:
        return None
    x = tau - tau.mean()
    square = float(x @ x)
    slope = -float(x @ logarithm) / square
    residuals = logarithm - logarithm.mean() + slope * x
    free = max(len(tau) // 2 - 2, 1)
    width = student(free) * math.sqrt(float((residuals**2).mean()) * len(tau) / free / square)
    return Rate(slope, slope - width, slope + width)


def remainder(tau: np.ndarray, to_end: np.ndarray) -> float:
    """Distance (rad) from the last direction to the limit, if distances to the limit fall as C e^(−aτ); else ∞.

    `to_end` (k,), rad, holds the angles to the last direction at each τ. With d₁ and d₂ those angles two units of τ and
    one unit before the end, d₁ = C e^(−aτ)(e^(2a) − 1) and d₂ = C e^(−aτ)(e^a − 1), so that e^a = d₁/d₂ − 1 and the
    distance is C e^(−aτ) = d₂/(e^a − 1).
    """
    if tau[-1] - tau[0] < 2:
        return math.inf
    two, one = np.interp(tau[-1] - np.array([2.0, 1.0]), tau, to_end)
    if not (one > 0 and two > 2 * one):
        return math.inf
    return float(one / (two / one - 2))
