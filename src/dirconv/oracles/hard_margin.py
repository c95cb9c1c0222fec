r"""The hard-margin support vector machine without bias, as an exact quadratic program.

    γ* = max_{‖w‖ ≤ 1} min_i ⟨w, z_i⟩ = min_{q ∈ simplex} ‖Σ q_i z_i‖,     z_i = y_i x_i.

The dual is the point of least norm in the convex hull of z. The non-negative least-squares problem of minimizing
‖Zᵀα‖² + (1ᵀα − 1)² over α ≥ 0 has its solution on the same ray, α ∝ q: for α = t q the first term is t²‖Zᵀq‖², so that
the best q is the same for every t. Lawson and Hanson's active sets solve it in finitely many steps. Any q in the
simplex bounds γ* from above, any w from below.

A deep linear network W_L ⋯ W₁ of least norm with margins of at least one has W_k = σ u_k u_(k−1)ᵀ, unit vectors u_k,
u_0 = ŵ, σ = γ*^(−1/L), and its multipliers are the dual's up to a factor: `multipliers`, `factors`.

Source: Cortes & Vapnik (1995) for the program; Lawson & Hanson (1974), chapter 23, for least squares; Ji & Telgarsky
(2019) for deep linear networks.
"""

from __future__ import annotations

import numpy as np

from dirconv.oracles import Margin

NUMERICS = 1


def solve(z: np.ndarray) -> Margin:
    """The maximum margin of z (n, d); `predictor` is the unit vector ŵ (d,).

    ValueError if no w separates the data.
    """
    from scipy.optimize import nnls

    z = np.asarray(z, dtype=np.float64)
    scale = np.linalg.norm(z, axis=1).max()  # both terms of similar size
    alpha, _ = nnls(np.vstack([z.T / scale, np.ones(len(z))]), np.r_[np.zeros(z.shape[1]), 1.0])
    return certified(z, alpha / alpha.sum())


def certified(z: np.ndarray, q: np.ndarray) -> Margin:
    """Both bounds from q (n,) in the simplex, with w along Σ q_i z_i; ValueError if w does not separate the data."""
    combination = z.T @ q
    upper = float(np.linalg.norm(combination))
    w = combination / upper if upper > 0 else combination
    lower = float((z @ w).min())
    if not lower > 0:
        raise ValueError("the data cannot be separated by a linear function through the origin")
    return Margin(lower, upper, w, q)


def multipliers(best: Margin, depth: int) -> np.ndarray:
    r"""KKT multipliers λ (n,) of a deep linear network of `depth` L: θ = Σ λ_i ∇p_i(θ), p_i ≥ 1, at ‖θ‖² = L γ*^(−2/L).

    With Σ q_i z_i = γ* ŵ the first layer's condition σ u ŵᵀ = Σ λ_i σ^(L−1) u z_iᵀ is solved by λ = q γ*^(−2/L), and
    the others' follow. In general λ = q ‖θ‖²/L, from ⟨θ, ∇p_i⟩ = L p_i and λ_i (p_i − 1) = 0.
    """
    return best.dual * best.upper ** (-2 / depth)


def factors(best: Margin, widths: list[int]) -> list[np.ndarray]:
    """The layers W_1, …, W_L of such a θ, `widths` those of their outputs: only the first unit of each is used."""
    size, into, layers = best.lower ** (-1 / len(widths)), best.predictor, []
    for width in widths:
        out = np.eye(width)[0]
        layers.append(size * np.outer(out, into))
        into = out
    return layers
