"""An ensemble: small margin maps of the same form, one a seed, evaluated as one batch.

A step on a small map makes a thousand calls, which take longer than its arithmetic. A batch makes them once for all
seeds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor

NUMERICS = 1


@dataclasses.dataclass(frozen=True)
class EnsembleMap:
    """W (S, D) ↦ p (S, n), float64: a homogeneous `function` of one seed's W (D,) and data, mapped over S seeds."""

    function: Callable[..., Tensor]  # (W (D,), *data of one seed) → (n,)
    data: tuple[Tensor, ...]  # each (S, …)
    degree: int

    def of(self, seeds: Tensor) -> EnsembleMap:
        """The ensemble of these seeds, an index (k,); a seed may occur several times."""
        return dataclasses.replace(self, data=tuple(part[seeds] for part in self.data))

    def values(self, weights: Tensor) -> Tensor:
        """Margins (S, n) at weights (S, D)."""
        with torch.no_grad():
            return torch.func.vmap(self.function)(weights, *self.data)

    def jacobian(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Margins (S, n) and their Jacobians (S, n, D)."""

        def twice(w: Tensor, *data: Tensor) -> tuple[Tensor, Tensor]:
            margins = self.function(w, *data)
            return margins, margins

        jacobian, margins = torch.func.vmap(torch.func.jacrev(twice, has_aux=True))(weights, *self.data)
        return margins, jacobian

    def pullback(self, weights: Tensor, q: Tensor) -> Tensor:
        """Σ q_i ∇p_i, (S, D), for q (S, n)."""
        leaf = weights.detach().clone().requires_grad_()
        margins = torch.func.vmap(self.function)(leaf, *self.data)
        return torch.autograd.grad(margins, leaf, q)[0]

    def rates(self, weights: Tensor, velocity: Tensor) -> Tensor:
        """Directional derivatives ⟨∇p_i, velocity⟩, (S, n), by forward differentiation."""

        def rate(w: Tensor, v: Tensor, *data: Tensor) -> Tensor:
            return torch.func.jvp(lambda at: self.function(at, *data), (w,), (v,))[1]

        with torch.no_grad():
            return torch.func.vmap(rate)(weights, velocity, *self.data)
