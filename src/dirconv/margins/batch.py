r"""The gradient over a mini-batch, for methods that step by batches."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from dirconv.losses import Loss
from dirconv.margins._bfloat16 import bfloat16
from dirconv.margins._captured import Captured
from dirconv.margins.network import NetworkMap

ARITHMETIC = {"float32": None, "bfloat16": torch.bfloat16}  # of convolutions and products, besides the network's own


class BatchGradient:
    r"""e^(−c) (1/|B|) Σ_{i∈B} ∂ℓ/∂p_i ∇p_i(W): the gradient of the batch's mean loss, times e^(−c).

    c is how a gradient whose own size no floating-point number holds comes out as one (0: as it is). One forward and
    one backward pass over the batch, whose images stay on their device; on CUDA the kernels are captured.

    arithmetic: "bfloat16" computes convolutions and products in it. The gradient is then off by a few parts in a
    thousand, which an SGD step may be and a measured margin may not.
    """

    def __init__(self, margin_map: NetworkMap, loss: Loss, arithmetic: str = "float32") -> None:
        self._loss, self._type = loss, ARITHMETIC[arithmetic]
        self._map = margin_map
        if self._type is torch.bfloat16:
            self._map = dataclasses.replace(margin_map, network=bfloat16(margin_map.network))
        # kept in place, in the network's precision: fresh memory for millions of weights takes a good part of a step
        self._weights = margin_map.flatten().to(next(margin_map.network.parameters()).dtype)
        self._captured = Captured(self._compute)

    def __call__(self, weights: Tensor, members: Tensor, ln_scale: float = 0.0) -> Tensor:
        """The gradient (D,) over the examples `members` (m,) at `weights` (D,), with c = `ln_scale`.

        In the network's precision, since it is no more exact than that; on CUDA it is overwritten by the next call.
        """
        self._weights.copy_(weights)
        return self._captured(members, torch.full((), ln_scale, dtype=torch.float64, device=weights.device))

    def _compute(self, members: Tensor, ln_scale: Tensor) -> Tensor:
        leaf = self._weights.detach().requires_grad_()
        with torch.autocast(leaf.device.type, self._type, enabled=self._type is not None, cache_enabled=False):
            margins = self._map.margins(leaf, self._map.images[members], self._map.labels[members])
        slopes = -(self._loss.ln_slopes(margins.detach()) - ln_scale).exp() / len(members)
        return torch.autograd.grad(margins, leaf, slopes)[0]
