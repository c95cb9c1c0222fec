r"""Exact limits with which the flow's are compared: convex problems, solved with a certificate.

Every answer is a lower and an upper bound of a maximum margin, from a feasible point of the problem and of its dual.
Their difference is computed from the data alone, however the points were found. Oracles share no code with the flow:
they use NumPy and SciPy only, which a test enforces.
"""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Margin:
    """Bounds of a maximum margin γ*, with the points that attain them."""

    lower: float  # the predictor's margin
    upper: float  # the dual point's value
    predictor: np.ndarray  # a unit vector, coefficients, …
    dual: np.ndarray  # q (n,), in the simplex

    @property
    def gap(self) -> float:
        """(upper − lower)/upper, the certified relative duality gap."""
        return (self.upper - self.lower) / self.upper
