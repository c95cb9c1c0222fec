r"""Inner products ⟨∇p_i, ∇p_j⟩ of per-example gradients, layer by layer, without forming the gradients where possible.

A layer that multiplies patches a_it by its weights has ∇p_i = Σ_t g_it ⊗ a_it, g_it being the gradient of p_i with
respect to the layer's output at position t = 1 … T. So

    ⟨∇p_i, ∇p_j⟩ = Σ_{t,t'} ⟨g_it, g_jt'⟩ ⟨a_it, a_jt'⟩

takes T² (O + C) multiplications (O outputs, C inputs), the inner product of the gradients themselves O·C; the cheaper
way is taken. For AlexNet's 3×3 convolutions on 2×2 positions the first is ten times cheaper.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor


@dataclasses.dataclass(frozen=True)
class Factor:
    """One parameter tensor's part of the gradients of n margins: Σ_t g_it ⊗ a_it, or g itself where there is no a."""

    g: Tensor  # (n, T, O); (n, D) without a
    a: Tensor | None = None  # (n, T, C)

    @property
    def elements(self) -> int:
        """How many numbers are stored."""
        return self.g.numel() + (0 if self.a is None else self.a.numel())

    def reduced(self, memory: int) -> Factor:
        """The gradients themselves where that is cheaper to compare and fits in `memory` elements; else unchanged."""
        if self.a is None or self._positions_cheaper():
            return self
        size = self.a.shape[2] * self.g.shape[2]
        return Factor(self._rows(slice(None))) if len(self.g) * size <= memory else self

    def cheapest(self) -> Factor:
        """The gradients themselves where that is cheaper to compare; else unchanged."""
        return self if self.a is None or self._positions_cheaper() else Factor(self._rows(slice(None)))

    def rows(self, which: Tensor) -> Factor:
        """Of the margins that an index or a mask chooses."""
        return Factor(self.g[which], None if self.a is None else self.a[which])

    def double(self) -> Factor:
        """The same numbers in float64."""
        return Factor(self.g.double(), None if self.a is None else self.a.double())

    @staticmethod
    def joined(several: Sequence[Factor]) -> Factor:
        """Of the margins of all, in order."""
        g = torch.cat([factor.g for factor in several])
        return Factor(g, None if several[0].a is None else torch.cat([factor.a for factor in several]))

    def pullback(self, q: Tensor) -> Tensor:
        """Σ_i q_i ∇p_i, flat, for q (n,); all in the precision of the factors."""
        if self.a is None:
            return q @ self.g
        g = self.g * q[:, None, None]
        return (g.flatten(0, 1).T @ self.a.flatten(0, 1)).flatten()

    def push(self, x: Tensor) -> Tensor:
        """⟨∇p_i, x⟩, (n,), for the flat x of the parameter tensor; all in the precision of the factors."""
        if self.a is None:
            return self.g @ x
        outputs = self.a.flatten(0, 1) @ x.view(self.g.shape[2], -1).T
        return (outputs.view_as(self.g) * self.g).sum((1, 2))

    def cross(self, other: Factor, memory: int) -> Tensor:
        """Inner products (n, n') with another block of examples, float64, with at most `memory` temporary elements."""
        if self.a is None:
            return (self.g @ other.g.T).double()
        if self._positions_cheaper():
            return self._by_positions(other, memory)
        total = torch.zeros(len(self.g), len(other.g), dtype=torch.float64, device=self.g.device)
        width = max(1, memory // (self.a.shape[2] * (len(self.g) + len(other.g))))
        for first in range(0, self.g.shape[2], width):
            mine, others = (f._rows(slice(first, first + width)) for f in (self, other))
            total += mine @ others.T
        return total

    def _positions_cheaper(self) -> bool:
        (positions, outputs), inputs = self.g.shape[1:], self.a.shape[2]
        return positions**2 * (inputs + outputs + 8) < inputs * outputs

    def _rows(self, outputs: slice) -> Tensor:
        return torch.bmm(self.g[:, :, outputs].transpose(1, 2), self.a).flatten(1)

    def _by_positions(self, other: Factor, memory: int) -> Tensor:
        positions, others = self.g.shape[1], len(other.g)
        size = max(1, memory // (2 * others * positions**2))
        parts = []
        for g, a in zip(self.g.split(size), self.a.split(size), strict=True):
            inner = a.flatten(0, 1) @ other.a.flatten(0, 1).T
            inner *= g.flatten(0, 1) @ other.g.flatten(0, 1).T
            parts.append(inner.view(len(g), positions, others, positions).sum((1, 3)).double())
        return torch.cat(parts)
