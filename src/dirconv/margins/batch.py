r"""The gradient over a mini-batch, for methods that step by batches."""

from __future__ import annotations

import torch
from torch import Tensor

from dirconv.losses import Loss
from dirconv.margins._captured import Captured
from dirconv.margins.network import NetworkMap

ARITHMETIC = {"float32": None, "bfloat16": torch.bfloat16}  # of convolutions and products, besides the network's own


class BatchGradient:
    r"""(1/|B|) Σ_{i∈B} e^(−c) (−∂ℓ/∂p_i) ∇p_i(W): minus the gradient of the batch's mean loss, times e^(−c).

    c is how a gradient whose own size no floating-point number holds comes out as one (0: as it is). One forward and
    one backward pass over the batch, whose images stay on their device; on CUDA the kernels are captured.

    arithmetic: "bfloat16" computes convolutions and products in it. The gradient is then off by a few parts in a
    thousand, which an SGD step may be and a measured margin may not.
    """

    def __init__(self, margin_map: NetworkMap, loss: Loss, arithmetic: str = "float32") -> None:
        self._map, self._loss, self._type = margin_map, loss, ARITHMETIC[arithmetic]
        self._captured = Captured(self._compute)

    def __call__(self, weights: Tensor, members: Tensor, ln_scale: float = 0.0) -> Tensor:
        """The sum (D,), float64, over the examples `members` (m,) at `weights` (D,), with c = `ln_scale`.

        On CUDA the result is overwritten by the next call.
        """
        return self._captured(weights, members, torch.full((), ln_scale, dtype=weights.dtype, device=weights.device))

    def _compute(self, weights: Tensor, members: Tensor, ln_scale: Tensor) -> Tensor:
        leaf = weights.detach().clone().requires_grad_()
        with torch.autocast(leaf.device.type, self._type, enabled=self._type is not None, cache_enabled=False):
            margins = self._map.margins(leaf, self._map.images[members], self._map.labels[members])
        q = (self._loss.ln_slopes(margins.detach()) - ln_scale).exp() / len(members)
        return torch.autograd.grad(margins, leaf, q)[0]
