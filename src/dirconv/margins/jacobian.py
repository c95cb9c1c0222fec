r"""Rows of a Jacobian as a linear operator: J Jᵀ, Jᵀq and J x of any gradients, taken at one point or at several.

A row is the gradient ∇p_i(x) of one margin at one point. Of a layer whose gradients cost less to compare than to form
(`dirconv.margins._gram`), the two factors are kept; of every other, the gradients. Rows of one map can be joined
wherever they were taken, so that the rows of several points are one operator.

Rows may be in float32; products are always in float64. What a step seeks, Σ q g, is far shorter than the gradients that
it is a combination of. J Jᵀ and Jᵀq of the same rounded rows agree, and rows' rounding then moves Σ q g by no more than
itself; rounding of products would be seen against ‖g‖² in ‖Σ q g‖².
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.func import jacrev, vmap

from dirconv.margins._gram import Factor
from dirconv.margins._layers import gradient_factors, layered

if TYPE_CHECKING:
    from dirconv.margins.network import NetworkMap

NUMERICS = 1
HALVED = 128  # rows from which on J Jᵀ is computed by halves


@dataclasses.dataclass(frozen=True)
class Jacobian:
    """m rows of D numbers each, in the precision of the network."""

    parts: tuple[tuple[slice, Factor], ...]  # of each parameter tensor: its place in the flat vector, its factor
    size: int  # D
    memory: int  # how many numbers a product may take besides its result

    @classmethod
    def dense(cls, rows: Tensor, memory: int = 2**27) -> Jacobian:
        """Of a matrix (m, D)."""
        return cls(((slice(0, rows.shape[1]), Factor(rows)),), rows.shape[1], memory)

    def __len__(self) -> int:
        return len(self.parts[0][1].g)

    @property
    def device(self) -> torch.device:
        return self.parts[0][1].g.device

    def rows(self, which: Tensor) -> Jacobian:
        """The rows that an index or a mask chooses."""
        return dataclasses.replace(self, parts=tuple((place, factor.rows(which)) for place, factor in self.parts))

    @staticmethod
    def joined(several: Sequence[Jacobian]) -> Jacobian:
        """All rows, one operator after the other."""
        places = [place for place, _ in several[0].parts]
        factors = zip(*([factor for _, factor in each.parts] for each in several), strict=True)
        parts = tuple((place, Factor.joined(same)) for place, same in zip(places, factors, strict=True))
        return dataclasses.replace(several[0], parts=parts)

    def cross(self, other: Jacobian, exact: bool = True) -> Tensor:
        """J J′ᵀ, (m, m′), float64; products in the precision of the rows if they need not be `exact`."""
        total = torch.zeros(len(self), len(other), dtype=torch.float64, device=self.device)
        for (_, mine), (_, theirs) in zip(self.parts, other.parts, strict=True):
            mine, theirs = (mine.double(), theirs.double()) if exact else (mine, theirs)
            total += mine.cross(theirs, self.memory)
        return total

    def gram(self, exact: bool = True) -> Tensor:
        """J Jᵀ, (m, m), float64, as `cross`; of its two equal halves one is computed."""
        if len(self) < HALVED:
            return self.cross(self, exact)
        half = torch.arange(len(self), device=self.device) < len(self) // 2
        first, second = self.rows(half), self.rows(~half)
        across = first.cross(second, exact)
        return torch.cat([torch.cat([first.gram(exact), across], 1), torch.cat([across.T, second.gram(exact)], 1)])

    def pullback(self, q: Tensor) -> Tensor:
        """Jᵀq, (D,), float64, for q (m,)."""
        total = torch.zeros(self.size, dtype=torch.float64, device=self.device)
        for place, factor in self.parts:
            total[place] = factor.double().pullback(q)
        return total

    def push(self, x: Tensor) -> Tensor:
        """J x, (m,), float64, for x (D,)."""
        return sum(factor.double().push(x[place]) for place, factor in self.parts)


def of_network(margin_map: NetworkMap, weights: Tensor, examples: Tensor) -> tuple[Tensor, Jacobian]:
    """Margins (m, K−1), float64, and their rows, m (K−1) of them, of `examples` (m,) at `weights` (D,).

    In passes of `chunk` examples. Batch statistics must not couple the examples.
    """
    several = [_of_pass(margin_map, weights, part) for part in examples.split(margin_map.chunk)]
    margins, rows = zip(*several, strict=True)
    return torch.cat(margins), Jacobian.joined(rows) if len(rows) > 1 else rows[0]


def _of_pass(margin_map: NetworkMap, weights: Tensor, examples: Tensor) -> tuple[Tensor, Jacobian]:
    part = margin_map.on(margin_map.images[examples], margin_map.labels[examples])
    memory = margin_map.memory * 2**18  # of four bytes each
    if not (part.layerwise and layered(part.network)):
        margins, rows = _one_by_one(part, weights)
        return margins, Jacobian.dense(rows, memory)
    places = {block.name: slice(block.start, block.stop) for block in margin_map.blocks}
    margins, factors = gradient_factors(part, weights)
    parts = tuple((places[name], factor.cheapest()) for name, factor in factors if name in places)
    return margins, Jacobian(parts, weights.numel(), memory)


def _one_by_one(part: NetworkMap, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Margins (m, K−1), and gradients (m (K−1), D) of any network, one example at a time under `vmap`."""

    def margins(weights: Tensor, image: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        value = part.margins(weights, image[None], label[None])[0]
        return value, value

    at = weights.detach().to(next(part.network.parameters()).dtype)
    jacobian = jacrev(margins, has_aux=True)
    size = max(1, part.memory * 2**18 // at.numel())
    pairs = zip(part.images.split(size), part.labels.split(size), strict=True)
    rows, values = zip(*(vmap(jacobian, (None, 0, 0))(at, *pair) for pair in pairs), strict=True)
    return torch.cat(values).double(), torch.cat(rows).to(at.dtype).flatten(0, 1)
