"""The margin map of any differentiable function of the weights: polynomials, tensor factorisations, small networks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor
from torch.func import jvp, vmap

from dirconv.margins import Pullback
from dirconv.margins.jacobian import Jacobian

NUMERICS = 1
GOES_THROUGH = ("jacobian",)


@dataclasses.dataclass(frozen=True)
class FunctionMap:
    """W ↦ p(W), (D,) to (n, K−1), both float64, differentiated by autograd. Its Jacobian's rows are formed.

    See `dirconv.margins.MarginMap` for the methods. With `data` the function is called with the rows of some examples
    only, and each row of the Jacobian costs one example's gradient; without, every row costs one through all examples.
    """

    function: Callable[..., Tensor]  # (W, *data) ↦ margins of the examples whose rows `data` holds
    degree: int | None
    data: tuple[Tensor, ...] = ()  # a row an example, each; none where the function knows its examples
    unit: float = 2.0**-53

    def margins(self, weights: Tensor, examples: Tensor | None = None) -> Tensor:
        """p of these examples, or of all; differentiable."""
        if examples is None:
            return self.function(weights, *self.data)
        if not self.data:
            return self.function(weights)[examples]
        return self.function(weights, *(part[examples] for part in self.data))

    def values(self, weights: Tensor, examples: Tensor | None = None) -> Tensor:
        with torch.no_grad():
            return self.margins(weights, examples)

    def linearize(self, weights: Tensor) -> tuple[Tensor, Pullback]:
        rows = FunctionRows(self, weights, None)
        return rows.margins, rows.pullback

    def rates(self, weights: Tensor, velocity: Tensor) -> Tensor:
        """Directional derivatives ⟨∇p, velocity⟩, (n, K−1), by forward differentiation."""
        with torch.no_grad():
            return jvp(self.margins, (weights,), (velocity,))[1]

    def jacobian(self, weights: Tensor, examples: Tensor) -> tuple[Tensor, Jacobian]:
        rows = self.rows(weights, examples)
        return rows.margins, Jacobian.dense(rows.jacobian())

    def rows(self, weights: Tensor, examples: Tensor) -> FunctionRows:
        return FunctionRows(self, weights, examples)

    def precise(self) -> FunctionMap:
        return self


class FunctionRows:
    """See `dirconv.margins.Rows`, for the methods too. The rows are formed where they are asked for."""

    def __init__(self, of: FunctionMap, weights: Tensor, examples: Tensor | None) -> None:
        """examples: None for all."""
        self._of, self._leaf, self._examples = of, weights.detach().clone().requires_grad_(), examples
        self._margins = of.margins(self._leaf, examples)
        self.margins = self._margins.detach()

    def pullback(self, q: Tensor) -> Tensor:
        return torch.autograd.grad(self._margins, self._leaf, q, retain_graph=True)[0]

    def gram(self) -> Tensor:
        jacobian = self.jacobian()
        return jacobian @ jacobian.T

    def jacobian(self) -> Tensor:
        """The rows, (m (K−1), D)."""
        if not self._of.data:
            each = torch.eye(self.margins.numel(), dtype=self.margins.dtype).view(-1, *self.margins.shape)
            return torch.autograd.grad(self._margins, self._leaf, each, retain_graph=True, is_grads_batched=True)[0]
        # every example has weights of its own: one backward pass then gives each one's gradient
        data = [part if self._examples is None else part[self._examples] for part in self._of.data]
        copies = self._leaf.detach().expand(len(self.margins), -1).requires_grad_()
        margins = vmap(lambda w, *row: self._of.function(w, *(part[None] for part in row))[0])(copies, *data)
        columns = [torch.autograd.grad(column.sum(), copies, retain_graph=True)[0] for column in margins.unbind(1)]
        return torch.stack(columns, 1).flatten(0, 1)
