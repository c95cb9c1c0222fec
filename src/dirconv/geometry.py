"""Directions on the sphere and the angles between them, of NumPy arrays and torch tensors alike. Imports no torch."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    Array = TypeVar("Array", np.ndarray, Tensor)

NUMERICS = 1
PER_DECADE = 12  # chords in a factor of ten of τ


def directions(vectors: Array) -> Array:
    """θ = W/‖W‖ of each row of `vectors` (…, D), float64."""
    if isinstance(vectors, np.ndarray):
        return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    vectors = vectors.double()
    return vectors / vectors.norm(dim=-1, keepdim=True)


def arc(chord: np.ndarray | float) -> np.ndarray | float:
    """Angle in radians between unit vectors at distance `chord`: 2 arcsin(chord/2), accurate where it is small."""
    return 2 * np.arcsin(np.minimum(np.asarray(chord) / 2, 1.0))


def angle(first: Array, second: Array) -> float:
    """Angle in radians between two vectors (D,) of any length, accurate where it is small."""
    return float(arc(float(_norm(first / _norm(first) - second / _norm(second)))))


def angles(vectors: Array, to: Array) -> list[float]:
    """`angle` of each row of `vectors` (k, D) to `to` (D,)."""
    return [angle(vector, to) for vector in vectors]


def chords(tau: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """Summed angles between directions θ (k, D) at values of `tau` (k,) evenly spaced in ln τ: (k,), NaN at others.

    Steps that chatter across a kink of ReLU lengthen the path at every step; they hardly lengthen its chords.
    """
    sums = np.full(len(tau), np.nan)
    positive = np.flatnonzero(tau > 0)
    if not len(positive):
        return sums
    decades = math.log10(tau[-1] / tau[positive[0]])
    targets = tau[-1] * 10 ** (-np.arange(math.floor(PER_DECADE * decades + 1e-9), -1, -1) / PER_DECADE)
    chosen = np.unique([positive[np.abs(tau[positive] - target).argmin()] for target in targets])
    sums[chosen] = np.cumsum([0.0, *(angle(theta[a], theta[b]) for a, b in itertools.pairwise(chosen))])
    return sums


def _norm(vector: Array) -> Array:
    return np.linalg.norm(vector) if isinstance(vector, np.ndarray) else vector.norm()
