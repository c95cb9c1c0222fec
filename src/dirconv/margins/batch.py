r"""The gradient over a mini-batch, for methods that step by batches."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from dirconv.losses import Loss
from dirconv.margins._captured import Captured
from dirconv.margins._convolutions import bfloat16
from dirconv.margins.network import NetworkMap

NUMERICS = 1


class BatchGradient:
    r"""e^(−c) (1/|B|) Σ_{i∈B} ∂ℓ/∂p_i ∇p_i(W): the gradient of the batch's mean loss, times e^(−c).

    The scale c keeps a gradient within floating-point range that would otherwise underflow. One forward and one
    backward pass over the batch, whose images stay on their device; on CUDA the kernels are captured.

    arithmetic: with "bfloat16", convolutions and products are computed in it. The gradient then has a relative error
    of a few parts in a thousand, which is acceptable for an SGD step but not for a measured margin.
    """

    def __init__(self, margin_map: NetworkMap, loss: Loss, arithmetic: str = "float32") -> None:
        self._loss, self._map, self._reduced = loss, margin_map, arithmetic == "bfloat16"
        if self._reduced:
            self._map = dataclasses.replace(margin_map, network=bfloat16(margin_map.network))
        # kept in place, in the network's precision: allocating millions of weights takes much of a step's time
        self._weights = margin_map.flatten().to(next(margin_map.network.parameters()).dtype)
        self._captured = Captured(self._compute)

    def __call__(self, weights: Tensor, batch: Tensor, ln_scale: float = 0.0) -> Tensor:
        """The gradient (D,) over the examples `batch` (m,) at `weights` (D,), with c = `ln_scale`.

        In the network's precision; on CUDA the next call overwrites it.
        """
        self._weights.copy_(weights)
        return self._captured(batch, torch.full((), ln_scale, dtype=torch.float64, device=weights.device))

    def _compute(self, batch: Tensor, ln_scale: Tensor) -> Tensor:
        leaf = self._weights.detach().requires_grad_()
        with torch.autocast(leaf.device.type, torch.bfloat16, enabled=self._reduced, cache_enabled=False):
            margins = self._map.margins(leaf, self._map.images[batch], self._map.labels[batch])
        slopes = -(self._loss.ln_slopes(margins.detach()) - ln_scale).exp() / len(batch)
        return torch.autograd.grad(margins, leaf, slopes)[0]
