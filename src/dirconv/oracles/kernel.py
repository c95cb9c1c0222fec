r"""The maximum-margin predictor of the neural tangent kernel, exactly.

A two-layer ReLU network f(x) = m^(−1/2) Σ_j a_j max(0, ⟨w_j, x⟩) with a_j, w_j ~ N(0, 1) has, as m → ∞, the kernel

    k(x, x') = E⟨∇f(x), ∇f(x')⟩ = ½ ‖x‖ ‖x'‖ (κ₁(u) + u κ₀(u)),     u = ⟨x, x'⟩/(‖x‖ ‖x'‖),
    κ₀(u) = 1 − arccos(u)/π,     κ₁(u) = (u (π − arccos u) + √(1 − u²))/π.

The predictor of unit norm in its space with the largest margin is f = Σ q_i y_i k(x_i, ·)/√(qᵀKq), K_ij = y_i y_j
k(x_i, x_j), where q minimizes qᵀKq over the simplex: `hard_margin` on any Z with Z Zᵀ = K.

Source: Jacot, Gabriel & Hongler (2018); Cho & Saul (2009) for the arc-cosine kernels.
"""

from __future__ import annotations

import numpy as np

from dirconv.oracles import Margin, hard_margin

NUMERICS = 1
GOES_THROUGH = ("hard_margin",)


def ntk(x: np.ndarray, other: np.ndarray) -> np.ndarray:
    """k of every pair of rows of x (n, d) and other (m, d): (n, m)."""
    norms = np.linalg.norm(x, axis=1)[:, None] * np.linalg.norm(other, axis=1)
    u = np.clip(x @ other.T / norms, -1.0, 1.0)
    angle = np.arccos(u)
    first = (u * (np.pi - angle) + np.sqrt(1 - u**2)) / np.pi
    return norms * (first + u * (1 - angle / np.pi)) / 2


def max_margin(x: np.ndarray, y: np.ndarray) -> Margin:
    """The maximum margin of data x (n, d), y (n,) ±1 in the kernel's space; `dual` is q (n,)."""
    values, vectors = np.linalg.eigh(ntk(x, x) * np.outer(y, y))
    return hard_margin.solve(vectors * np.sqrt(np.maximum(values, 0.0)))


def predict(x: np.ndarray, y: np.ndarray, dual: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Σ q_i y_i k(x_i, ·) at the rows of `at` (m, d): (m,), the predictor up to a positive factor."""
    return ntk(at, x) @ (dual * y)
