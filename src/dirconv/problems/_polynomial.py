r"""A loss with a polynomial tail, for which no theorem of the paper holds: it does not go to the maximum margin.

    ℓ(z) = (1 + z)^(−k) for z ≥ 0,     1 − k z for z < 0,          −ℓ'(z) = k (1 + max(z, 0))^(−k−1),

convex and once continuously differentiable, ℓ(0) = 1. For a map of degree L the weights q_i ∝ p_i^(−k−1) do not
concentrate on the smallest margins, and the direction tends to a minimum of Σ p_i(θ)^(−k).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

POWER = 2.0  # k


class Polynomial:
    """See `dirconv.losses.Loss`; here for two classes only."""

    name = "polynomial"
    ln_at_zero = 0.0

    def ln_risk(self, margins: Tensor) -> Tensor:
        """See `Loss.ln_risk`."""
        z = margins.double()
        tail = -POWER * torch.log1p(z.clamp(min=0))
        return torch.logsumexp(torch.where(z >= 0, tail, torch.log1p(-POWER * z.clamp(max=0))).flatten(), 0)

    def ln_slopes(self, margins: Tensor) -> Tensor:
        """See `Loss.ln_slopes`."""
        return math.log(POWER) - (POWER + 1) * torch.log1p(margins.double().clamp(min=0))

    def weights(self, margins: Tensor) -> Tensor:
        """See `Loss.weights`."""
        return torch.softmax(self.ln_slopes(margins).flatten(), 0).view_as(margins)

    def inverse(self, ln_risk: float) -> float:
        """See `Loss.inverse`."""
        return math.expm1(-ln_risk / POWER) if ln_risk <= 0 else -math.expm1(ln_risk) / POWER
