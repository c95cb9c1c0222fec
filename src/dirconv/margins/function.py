"""The margin map of any differentiable function of the weights: polynomials, tensor factorisations, small networks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor

from dirconv.margins import Pullback
from dirconv.margins.jacobian import Jacobian


@dataclasses.dataclass(frozen=True)
class FunctionMap:
    """W ↦ p(W), (D,) to (n, K−1), both float64, differentiated by autograd. Its Jacobian's rows are formed.

    See `dirconv.margins.MarginMap` for the methods.
    """

    function: Callable[[Tensor], Tensor]
    degree: int | None
    unit: float = 2.0**-53

    def values(self, weights: Tensor, examples: Tensor | None = None) -> Tensor:
        with torch.no_grad():
            margins = self.function(weights)
        return margins if examples is None else margins[examples]

    def linearize(self, weights: Tensor) -> tuple[Tensor, Pullback]:
        leaf = weights.detach().clone().requires_grad_()
        margins = self.function(leaf)
        return margins.detach(), lambda q: torch.autograd.grad(margins, leaf, q, retain_graph=True)[0]

    def jacobian(self, weights: Tensor, examples: Tensor) -> tuple[Tensor, Jacobian]:
        def twice(w: Tensor) -> tuple[Tensor, Tensor]:
            margins = self.function(w)[examples]
            return margins, margins

        rows, margins = torch.func.jacrev(twice, has_aux=True)(weights.detach())
        return margins, Jacobian.dense(rows.flatten(0, 1))

    def rows(self, weights: Tensor, examples: Tensor) -> FunctionRows:
        margins = self.values(weights, examples)
        jacobian = torch.func.jacrev(lambda w: self.function(w)[examples])(weights.detach())
        return FunctionRows(margins, jacobian.flatten(0, 1))

    def precise(self) -> FunctionMap:
        return self


@dataclasses.dataclass(frozen=True)
class FunctionRows:
    """See `dirconv.margins.Rows`, for the methods too."""

    margins: Tensor
    jacobian: Tensor  # (m (K−1), D)

    def pullback(self, q: Tensor) -> Tensor:
        return q.flatten() @ self.jacobian

    def gram(self) -> Tensor:
        return self.jacobian @ self.jacobian.T
