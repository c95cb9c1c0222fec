r"""Losses in the log domain: ln ℒ, softmin weights and ℓ⁻¹(ℒ), exact from margins of −50 to 10⁸ and beyond.

The risk is the paper's total loss, ℒ = Σᵢ ℓ(pᵢ), a sum and not a mean: ℒ < ℓ(0) then means that every example
is classified correctly. Margins come as an array (n, K−1): one column for two classes, p = y Φ(x); for K classes
pᵢₖ = Φ_y(x) − Φ_k(x), k ≠ y. At ln(1/ℒ) = 10⁸ the risk itself is no floating-point number; its logarithm is.

======================  ===============================  ==========================
loss                    ℓ of one example                 ln(−∂ℓ/∂pᵢₖ)
======================  ===============================  ==========================
exponential             Σₖ e^(−pᵢₖ)                      −pᵢₖ
logistic, K = 2         ln(1 + e^(−pᵢ))                  −pᵢ − ln(1 + e^(−pᵢ))
cross_entropy           ln(1 + Σₖ e^(−pᵢₖ))              −pᵢₖ − ln(1 + Σₖ e^(−pᵢₖ))
polynomial, K = 2       (1 + pᵢ)^(−2), 1 − 2 pᵢ below 0  ln 2 − 3 ln(1 + max(pᵢ, 0))
======================  ===============================  ==========================

The last is a control: no theorem of the paper holds for a polynomial tail. Convex and once continuously
differentiable, ℓ(0) = 1; its weights q ∝ p^(−3) do not concentrate on the smallest margins, and the direction tends to
a minimum of Σ pᵢ(θ)^(−2) instead of the maximum margin.

Source: Ji & Telgarsky (2020), Section 2, for ℓ, ℒ and ℓ⁻¹; checked against mpmath in tests/unit/test_losses.py.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

LOSSES = ("exponential", "logistic", "cross_entropy", "polynomial")  # kept in step with `get` by a test


class Loss(Protocol):
    """What the flow needs of a loss."""

    name: str
    ln_at_zero: float  # ln ℓ(0) of one example with one other class: the paper's assumption is ln ℒ < ln ℓ(0)

    def ln_risk(self, margins: Tensor) -> Tensor:
        """ln ℒ of margins (n, K−1), float64 scalar."""

    def ln_slopes(self, margins: Tensor) -> Tensor:
        """ln(−∂ℒ/∂p), shape (n, K−1)."""

    def weights(self, margins: Tensor) -> Tensor:
        """Softmin weights q = −∂ℒ/∂p / Σ(−∂ℒ/∂p), shape (n, K−1), non-negative with sum 1."""

    def inverse(self, ln_risk: float) -> float:
        """ℓ⁻¹(ℒ) from ln ℒ: the margin at which one example alone (K = 2) would have the risk ℒ."""


class _Softmin:
    def ln_slopes(self, margins: Tensor) -> Tensor:
        raise NotImplementedError

    def weights(self, margins: Tensor) -> Tensor:
        return torch.softmax(self.ln_slopes(margins).flatten(), 0).view_as(margins)


class Exponential(_Softmin):
    """ℓ(z) = e^(−z): ln ℒ = logsumexp(−p), q = softmax(−p), ℓ⁻¹(ℒ) = −ln ℒ."""

    name = "exponential"
    ln_at_zero = 0.0

    def ln_risk(self, margins: Tensor) -> Tensor:
        return torch.logsumexp(-margins.double().flatten(), 0)

    def ln_slopes(self, margins: Tensor) -> Tensor:
        return -margins.double()

    def inverse(self, ln_risk: float) -> float:
        return -ln_risk


class CrossEntropy(_Softmin):
    """ℓᵢ = ln(1 + Σₖ e^(−pᵢₖ)); for two classes the logistic loss."""

    name = "cross_entropy"
    ln_at_zero = math.log(math.log(2.0))

    def ln_risk(self, margins: Tensor) -> Tensor:
        s = torch.logsumexp(-margins.double(), 1)  # ℓᵢ = softplus(sᵢ)
        # ln softplus(s): for s ≤ 0 as s + ln(ln(1 + u)/u), u = e^s, whose last term is −u/2 + O(u²) where u is tiny
        zero = torch.zeros_like(s)
        u = torch.exp(torch.where(s <= 0, s, zero))
        safe = u.clamp(min=1e-300)
        correction = torch.where(u > 1e-9, torch.log(torch.log1p(safe) / safe), -u / 2)
        above = torch.where(s > 0, s, zero)  # both branches stay finite: autograd goes through the unused one too
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
    ln_at_zero = 0.0
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


def get(name: str) -> Loss:
    """The loss of that name."""
    return {loss.name: loss for loss in (Exponential(), Logistic(), CrossEntropy(), Polynomial())}[name]
