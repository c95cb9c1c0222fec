"""How fast something falls exponentially in τ = ln‖W‖, that is, by which power of 1/‖W‖."""

from __future__ import annotations

import math

import numpy as np

from dirconv.claims.statistics import student

ROUNDING = 1e-12  # values below carry more rounding than signal
FEWEST = 4


def rate(tau: np.ndarray, values: np.ndarray) -> tuple[float, float, float] | None:
    """κ of values ∝ e^(−κτ) and its interval: a straight line through ln(values) over the second half of the τ at which
    they are above rounding. None with fewer than four points.

    The interval is Student's at 95 %, as if every other point were left out: what such a curve does beside the line is
    not noise, and neighbours go together.
    """
    known = values > ROUNDING
    tau, values = tau[known], values[known]
    late = tau >= 0.5 * tau.max(initial=0.0)
    tau, logarithm = tau[late], np.log(values[late])
    if len(tau) < FEWEST:
        return None
    x = tau - tau.mean()
    square = float(x @ x)
    slope = -float(x @ logarithm) / square
    residuals = logarithm - logarithm.mean() + slope * x
    free = max(len(tau) // 2 - 2, 1)
    width = student(free) * math.sqrt(float((residuals**2).mean()) * len(tau) / free / square)
    return slope, slope - width, slope + width
