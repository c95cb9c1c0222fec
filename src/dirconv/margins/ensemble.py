"""Many small margin maps of one form, evaluated together: the seeds of a small problem as one batch.

What costs a small map its time is not arithmetic but the thousand calls that each step makes. A batch over seeds makes
them once for all.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor


@dataclasses.dataclass(frozen=True)
class EnsembleMap:
    """W (S, D) ↦ p (S, n), float64: `function` of one seed's W (D,) and data, mapped over seeds; homogeneous."""

    function: Callable[..., Tensor]  # (W (D,), *data of one seed) → (n,)
    data: tuple[Tensor, ...]  # each (S, …)
    degree: int

    def of(self, seeds: Tensor) -> EnsembleMap:
        """The maps of these seeds, an index (k,), alone."""
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

        def one(w: Tensor, v: Tensor, *data: Tensor) -> Tensor:
            return torch.func.jvp(lambda at: self.function(at, *data), (w,), (v,))[1]

        with torch.no_grad():
            return torch.func.vmap(one)(weights, velocity, *self.data)
