r"""Exact answers that the flow's limits are held against: convex problems, solved to a certificate.

Every answer is a lower and an upper bound of one maximum margin, from a feasible point of the problem and from one of
its dual; their difference is computed from the data alone and does not depend on how the points were found. Nothing
here shares code with the flow: NumPy and SciPy only, and a test holds that.
"""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Margin:
    """A maximum margin γ* between two bounds, with the points that attain them."""

    lower: float  # of a feasible predictor
    upper: float  # of the dual's point
    predictor: np.ndarray  # what is feasible: a unit vector, coefficients, …
    dual: np.ndarray  # (n,), in the simplex

    @property
    def gap(self) -> float:
        """(upper − lower)/upper: the relative duality gap that is certified."""
        return (self.upper - self.lower) / self.upper
