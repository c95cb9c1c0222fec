r"""The Jacobian of a margin map as a matrix, and how it is made where batch statistics couple the examples.

Batch statistics are taken over fixed chunks of the images, so a margin depends on W through every image of its chunk
B(i), and its gradient is the derivative of a whole chunk's forward pass:

    ∇p_ik(W) = dp_ik/dW + Σ_l (dp_ik/ds_l) (ds_l/dW),    s_l: means and variances of layer l over B(i).

One backward pass of the chunk makes one row. Rows of several cotangents at once (`is_grads_batched`, or `vmap` over
`vjp`) were 1.4 to 5 times slower on a CPU: their convolutions become grouped ones.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from dirconv.margins.network import NetworkMap


@dataclasses.dataclass(frozen=True)
class DenseRows:
    """See `dirconv.margins.Rows`: m examples' margins and their gradients J, held as a matrix.

    Products are summed in float64, whatever the precision of J; slices of its columns are converted one by one, so that
    they take `memory` MiB at most.
    """

    margins: Tensor  # (m, K−1), float64
    jacobian: Tensor  # J, (m (K−1), D), in the precision of the network
    memory: int = 1024

    def pullback(self, q: Tensor) -> Tensor:
        """Σ q_ik ∇p_ik, (m, K−1) → (D,), float64."""
        return torch.cat([q.flatten() @ part for (part,) in _slices(self.memory, self.jacobian)])

    def push(self, x: Tensor) -> Tensor:
        """J x, (D,) → (m (K−1),), float64: how fast the margins change along x."""
        return sum(a @ b for a, b in _slices(self.memory, self.jacobian, x[None]))[:, 0]

    def gram(self) -> Tensor:
        """J Jᵀ, (m (K−1), m (K−1)), float64."""
        return self.cross(self)

    def cross(self, other: DenseRows) -> Tensor:
        """J J'ᵀ with the rows of other examples or at another point, (m (K−1), m' (K−1)), float64."""
        return sum(a @ b for a, b in _slices(self.memory, self.jacobian, other.jacobian))


def _slices(memory: int, first: Tensor, second: Tensor | None = None) -> Iterator[tuple[Tensor, ...]]:
    """Slices of columns in float64: of one matrix, or of two, those of the second transposed."""
    height = len(first) + (0 if second is None else len(second))
    width = max(1, memory * 2**17 // max(1, height))
    for start in range(0, first.shape[1], width):
        part = first[:, start : start + width].double()
        if second is None:
            yield (part,)
        else:
            yield part, (part if second is first else second[:, start : start + width].double()).T


def coupled_rows(margin_map: NetworkMap, weights: Tensor, examples: Tensor) -> DenseRows:
    """The rows of `examples` (m,) at `weights` (D,), in their order, by one backward pass of a chunk for each margin.

    Only chunks that hold one of the examples are computed, one at a time: a forward pass each, whose activations are
    held until its rows are made.
    """
    dtype = next(margin_map.network.parameters()).dtype
    leaf = weights.detach().to(dtype).requires_grad_()
    wanted: dict[int, list[tuple[int, int]]] = {}  # by chunk: the places of its examples in the result and in the chunk
    for place, example in enumerate(torch.arange(len(margin_map.images), device=examples.device)[examples].tolist()):
        wanted.setdefault(example // margin_map.chunk, []).append((place, example % margin_map.chunk))
    found = jacobian = None
    for chunk, members in wanted.items():
        part = slice(chunk * margin_map.chunk, (chunk + 1) * margin_map.chunk)
        with torch.enable_grad():
            margins = margin_map.margins(leaf, margin_map.images[part], margin_map.labels[part])
        if jacobian is None:
            found = margins.new_empty(len(examples), margins.shape[1])
            jacobian = leaf.new_empty(*found.shape, len(leaf))
        for place, member in members:
            found[place] = margins[member].detach()
            for k, margin in enumerate(margins[member]):
                jacobian[place, k] = torch.autograd.grad(margin, leaf, retain_graph=True)[0]
    return DenseRows(found, jacobian.flatten(0, 1), margin_map.memory)
