r"""Losses in the log domain: ln ℒ, softmin weights and ℓ⁻¹(ℒ), exact for margins from −50 to 10⁸ and beyond.

Margins p have shape (n, K−1): one column for two classes, p = y Φ(x); for K classes pᵢₖ = Φ_y(x) − Φ_k(x), k ≠ y.
At ln(1/ℒ) = 10⁸ the risk itself underflows; its logarithm does not.

======================  ===============================  ==========================
loss                    ℓ of one example                 ln(−∂ℓ/∂pᵢₖ)
======================  ===============================  ==========================
exponential             Σₖ e^(−pᵢₖ)                      −pᵢₖ
logistic, K = 2         ln(1 + e^(−pᵢ))                  −pᵢ − ln(1 + e^(−pᵢ))
cross_entropy           ln(1 + Σₖ e^(−pᵢₖ))              −pᵢₖ − ln(1 + Σₖ e^(−pᵢₖ))
polynomial, K = 2       (1 + pᵢ)^(−2), 1 − 2 pᵢ below 0  ln 2 − 3 ln(1 + max(pᵢ, 0))
======================  ===============================  ==========================

The polynomial loss is a control: the paper's theorems do not cover it. It is convex and once continuously
differentiable. Its weights q ∝ p^(−3) do not concentrate on the smallest margins, and the direction tends to a minimum
of Σ pᵢ(θ)^(−2) instead of the maximum margin.

Source: Ji & Telgarsky (2020), Section 2, for ℓ, ℒ and ℓ⁻¹; checked against mpmath in tests/unit/losses/test_losses.py.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from dirconv.losses import Loss

NUMERICS = 1


class _Softmin(Loss):
    """What all losses share: see `dirconv.losses.Loss` for the methods."""

    def weights(self, margins: Tensor) -> Tensor:
        return torch.softmax(self.ln_slopes(margins).flatten(), 0).view_as(margins)


class Exponential(_Softmin):
    """ℓ(z) = e^(−z): ln ℒ = logsumexp(−p), q = softmax(−p), ℓ⁻¹(ℒ) = −ln ℒ."""

    name = "exponential"

    def ln_risk(self, margins: Tensor) -> Tensor:
        return torch.logsumexp(-margins.double().flatten(), 0)

    def ln_slopes(self, margins: Tensor) -> Tensor:
        return -margins.double()

    def inverse(self, ln_risk: float) -> float:
        return -ln_risk


class CrossEntropy(_Softmin):
    """ℓᵢ = ln(1 + Σₖ e^(−pᵢₖ)); for two classes the logistic loss."""

    name = "cross_entropy"

    def ln_risk(self, margins: Tensor) -> Tensor:
        s = torch.logsumexp(-margins.double(), 1)  # ℓᵢ = softplus(sᵢ)
        # ln softplus(s) = s + ln(ln(1 + u)/u) for s ≤ 0, u = e^s; the last term is −u/2 + O(u²) where u is tiny
        zero = torch.zeros_like(s)
        u = torch.exp(torch.where(s <= 0, s, zero))
        safe = u.clamp(min=1e-300)
        correction = torch.where(u > 1e-9, torch.log(torch.log1p(safe) / safe), -u / 2)
        above = torch.where(s > 0, s, zero)  # autograd also goes through the unused branch: both must stay finite
        positive = torch.log(above + torch.log1p(torch.exp(-above)))
        return torch.logsumexp(torch.where(s > 0, positive, s + correction), 0)

    def ln_slopes(self, margins: Tensor) -> Tensor:
        z = -margins.double()
        s = torch.logsumexp(z, 1, keepdim=True)
        return logsigmoid(s) + (z - s)

    def inverse(self, ln_risk: float) -> float:
        if ln_risk < -36.0:  # −ln(e^ℒ − 1) = −ln ℒ − ℒ/2 + O(ℒ²)
            return -ln_risk - math.exp(ln_risk) / 2
        risk = math.exp(ln_risk)
        if risk > 700.0:
            return -risk
        return -math.log(math.expm1(risk))


class Logistic(CrossEntropy):
    """ℓ(z) = ln(1 + e^(−z)), two classes."""

    name = "logistic"


class Polynomial(_Softmin):
    """ℓ(z) = (1 + z)^(−k) for z ≥ 0 and 1 − k z for z < 0, two classes, k = 2."""

    name = "polynomial"
    power = 2.0  # k

    def ln_risk(self, margins: Tensor) -> Tensor:
        z = margins.double()
        tail = -self.power * torch.log1p(z.clamp(min=0))
        return torch.logsumexp(torch.where(z >= 0, tail, torch.log1p(-self.power * z.clamp(max=0))).flatten(), 0)

    def ln_slopes(self, margins: Tensor) -> Tensor:
        return math.log(self.power) - (self.power + 1) * torch.log1p(margins.double().clamp(min=0))

    def inverse(self, ln_risk: float) -> float:
        if ln_risk > 0:
            return -math.expm1(ln_risk) / self.power
        return math.expm1(-ln_risk / self.power)


BY_NAME = {loss.name: loss for loss in (Exponential(), Logistic(), CrossEntropy(), Polynomial())}
