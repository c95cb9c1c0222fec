"""A straight line through points, with its slope's interval."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from dirconv.claims.statistics import student


@dataclasses.dataclass(frozen=True)
class Line:
    """Least squares; the interval is Student's at 95 %, for independent errors."""

    slope: float
    low: float
    high: float


def line(x: np.ndarray, y: np.ndarray) -> Line:
    """Through at least three points (k,) at distinct x."""
    centred = x - x.mean()
    square = float(centred @ centred)
    slope = float(centred @ y) / square
    residuals = y - y.mean() - slope * centred
    width = student(len(x) - 2) * math.sqrt(float(residuals @ residuals) / (len(x) - 2) / square)
    return Line(slope, slope - width, slope + width)
