r"""Inner products ⟨∇p_i, ∇p_j⟩ of per-example gradients, layer by layer, without forming the gradients where possible.

A layer that multiplies patches a_it by its weights has ∇p_i = Σ_t g_it ⊗ a_it, g_it being the gradient of p_i with
respect to the layer's output at position t = 1 … T. So

    ⟨∇p_i, ∇p_j⟩ = Σ_{t,t'} ⟨g_it, g_jt'⟩ ⟨a_it, a_jt'⟩

takes T² (O + C) multiplications (O outputs, C inputs), the inner product of the gradients themselves O·C; the cheaper
way is taken. For AlexNet's 3×3 convolutions on 2×2 positions the first is ten times cheaper.
"""

from __future__ import annotations

import dataclasses

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
