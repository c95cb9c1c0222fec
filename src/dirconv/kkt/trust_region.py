r"""The least of a quadratic model in a ball, from products with its matrix alone: Lanczos' method.

    min over t, ‖t‖ ≤ r, of   m(t) = bᵀt + ½ tᵀA t,        A symmetric, of any sign.                                (1)

In the orthonormal basis V (k, D) that Lanczos' method makes from b, A is tridiagonal, T = V A Vᵀ, and (1) for t = Vᵀy
is a problem of k unknowns: y = −(T + λ)⁻¹ V b with the least λ ≥ 0 for which T + λ is not negative and ‖y‖ ≤ r. Its
residual (A + λ) t + b is known without a product with A. Directions of negative curvature are in the basis like any
others, and the basis serves for every radius: to try a smaller one costs no product.

Memory: at most `vectors` vectors of D numbers, float64.

Source: Gould, Lucidi, Roma & Toint, Solving the trust-region subproblem using the Lanczos method, SIAM J. Optim. 9
(1999); Nocedal & Wright, Numerical Optimization (2006), sections 4.3 and 7.1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

NUMERICS = 1
EXHAUSTED = 1e-12  # β relative to the largest |T|: the basis spans a space that A maps into itself
BISECTIONS = 200


class Krylov:
    """The basis from b (D,), not zero, and the model in it; see (1). `product` is v ↦ A v."""

    def __init__(self, product: Callable[[Tensor], Tensor], start: Tensor, vectors: int) -> None:
        self._product, self._most = product, min(vectors, len(start))
        self._length = float(start.norm())
        self._basis = start.new_empty(0, len(start))
        self._room = start.new_empty(self._most, len(start))  # pages that are not used are not taken on a CPU
        self._next = start / self._length
        self._diagonal: list[float] = []  # of T
        self._beside: list[float] = []  # of T; the last one leads out of the basis

    def solve(self, radius: float, rtol: float) -> tuple[Tensor, float]:
        """t (D,) of (1) and m(t); vectors are added until the residual is at most rtol ‖b‖, or there is no room."""
        while True:
            y, values = self._solution(radius)
            if y is not None and (self._full or self._beside[-1] * abs(y[-1]) <= rtol * self._length):
                return torch.from_numpy(y).to(self._basis) @ self._basis, values
            self._extend()

    def lowest(self, vectors: int) -> tuple[float, Tensor]:
        """The least Rayleigh quotient with so many vectors, and its direction, a unit vector (D,)."""
        while len(self._diagonal) < vectors and not self._full:
            self._extend()
        values, columns = np.linalg.eigh(self._matrix)
        return float(values[0]), torch.from_numpy(columns[:, 0].copy()).to(self._basis) @ self._basis

    @property
    def _matrix(self) -> np.ndarray:
        beside = np.array(self._beside[:-1])
        return np.diag(self._diagonal) + np.diag(beside, 1) + np.diag(beside, -1)

    @property
    def _full(self) -> bool:
        if not self._diagonal:
            return False
        small = self._beside[-1] <= EXHAUSTED * max(np.abs(self._diagonal).max(), *self._beside, 1e-300)
        return small or len(self._diagonal) >= self._most

    def _extend(self) -> None:
        v = self._next
        self._room[len(self._diagonal)] = v
        self._basis = self._room[: len(self._diagonal) + 1]
        w = self._product(v)
        self._diagonal.append(float(v @ w))
        for _ in range(2):  # against all vectors, twice: rounding would bring eigenvalues back again
            w = w - (self._basis @ w) @ self._basis
        self._beside.append(float(w.norm()))
        self._next = w / max(self._beside[-1], 1e-300)

    def _solution(self, radius: float) -> tuple[np.ndarray | None, float]:
        """y (k,) of least m in the ball, and m."""
        if not self._diagonal:
            return None, 0.0
        values, columns = np.linalg.eigh(self._matrix)
        b = self._length * columns[0]  # V b in the eigenvectors of T

        def length(shift: float) -> float:
            return float(np.linalg.norm(b / (values + shift)))

        least = max(0.0, -values[0])
        if values[0] > 0 and length(0.0) <= radius:
            shift = 0.0
        else:  # T + λ is positive on (least, high], and ‖y‖ falls from above r (or the hard case) to below it
            low, high = least, least + self._length / radius
            for _ in range(BISECTIONS):
                shift = 0.5 * (low + high)
                if shift in (low, high):
                    break
                low, high = (shift, high) if length(shift) > radius else (low, shift)
            shift = high
        y = -b / (values + shift)
        lacking = radius**2 - float(y @ y)
        if shift > 0 and lacking > 0:  # the hard case: b has no part along the lowest eigenvector
            y[0] += np.copysign(np.sqrt(y[0] ** 2 + lacking) - abs(y[0]), y[0])
        return columns @ y, float(b @ y + 0.5 * values @ y**2)
