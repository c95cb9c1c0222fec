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

Margins may be given at unit norm with ln s apart (`ln_scale`): then s p and ln ℒ may overflow, and what is finite is
returned nonetheless. Where s min p > 600 a loss with an exponential tail is translated: with
zᵢ = 600 + s (pᵢ − min p), ℒ(s p) = e^(600 − s min p) ℒ(z) to rounding, so q(s p) = q(z) and
ℓ⁻¹(ℒ(s p)) = s min p − 600 + ℓ⁻¹(ℒ(z)); the exponential loss also where −s min p > 600. Where s overflows,
s (pᵢ − min p) is 0 for the smallest margin and as good as infinite for others.

Source: Ji & Telgarsky (2020), Section 2, for ℓ, ℒ and ℓ⁻¹; checked against mpmath in tests/unit/losses/test_losses.py.
"""

from __future__ import annotations

import math
import sys

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from dirconv.losses import Loss

NUMERICS = 1
FAR = 600.0  # margins from here on have the tail e^(−z) to rounding
LARGEST = sys.float_info.max  # stands for a margin that overflows


def _exp(value: float) -> float:
    """e^value, infinite where that overflows."""
    return math.inf if value >= 709.0 else math.exp(value)


def _scaled(margins: Tensor, scale: float) -> Tensor:
    """s p, at most `LARGEST` in size; 0 where p is."""
    margins = margins.double()
    return torch.where(margins == 0, 0.0, margins * scale).clamp(-LARGEST, LARGEST)


class _Softmin(Loss):
    """Losses of the tail e^(−z): see `dirconv.losses.Loss` for the methods. They define those that end in _at."""

    _everywhere = False  # whether ℓ is its tail for all z, so that margins below zero may be translated too

    def ln_risk(self, margins: Tensor, ln_scale: float = 0.0) -> Tensor:
        if ln_scale == 0.0:
            return self._ln_risk_at(margins)
        near, taken = self._near(margins, ln_scale)
        return self._ln_risk_at(near) - taken

    def ln_slopes(self, margins: Tensor, ln_scale: float = 0.0) -> Tensor:
        if ln_scale == 0.0:
            return self._ln_slopes_at(margins)
        near, taken = self._near(margins, ln_scale)
        return self._ln_slopes_at(near) - taken

    def weights(self, margins: Tensor, ln_scale: float = 0.0) -> Tensor:
        near = margins if ln_scale == 0.0 else self._near(margins, ln_scale)[0]
        return torch.softmax(self._ln_slopes_at(near).flatten(), 0).view_as(margins)

    def ln_margin(self, margins: Tensor, ln_scale: float = 0.0) -> float:
        near, taken = self._near(margins, ln_scale)
        inverse = self.inverse(float(self._ln_risk_at(near)))
        if taken <= 0:
            return math.log(inverse + taken) if inverse + taken > 0 else math.nan
        ln_smallest = ln_scale + math.log(float(margins.min()))
        return ln_smallest + math.log1p((inverse - FAR) * math.exp(-ln_smallest))

    def ln_concentration(self, margins: Tensor, ln_scale: float = 0.0) -> float:
        near, _ = self._near(margins, ln_scale)  # the translation cancels
        inverse = _scaled(near.new_tensor([[self.inverse(float(self._ln_risk_at(near)))]]), 1.0)
        return float(torch.logsumexp(self._ln_slopes_at(near).flatten(), 0) - self._ln_slopes_at(inverse))

    def _near(self, margins: Tensor, ln_scale: float) -> tuple[Tensor, float]:
        """z and the number that was taken off s p, zero where nothing was."""
        scale, smallest = _exp(ln_scale), float(margins.min())
        size = abs(smallest) if self._everywhere else smallest
        if not size > 0 or size * scale <= FAR:
            return _scaled(margins, scale), 0.0
        return FAR + _scaled(margins.double() - smallest, scale), smallest * scale - FAR

    def _ln_risk_at(self, margins: Tensor) -> Tensor:
        """ln ℒ at margins p, a float64 scalar."""

    def _ln_slopes_at(self, margins: Tensor) -> Tensor:
        """ln(−∂ℒ/∂p) at margins p, (n, K−1), float64."""


class Exponential(_Softmin):
    """ℓ(z) = e^(−z): ln ℒ = logsumexp(−p), q = softmax(−p), ℓ⁻¹(ℒ) = −ln ℒ."""

    name = "exponential"
    _everywhere = True

    def _ln_risk_at(self, margins: Tensor) -> Tensor:
        return torch.logsumexp(-margins.double().flatten(), 0)

    def _ln_slopes_at(self, margins: Tensor) -> Tensor:
        return -margins.double()

    def inverse(self, ln_risk: float) -> float:
        return -ln_risk


class CrossEntropy(_Softmin):
    """ℓᵢ = ln(1 + Σₖ e^(−pᵢₖ)); for two classes the logistic loss."""

    name = "cross_entropy"

    def ln_risk(self, margins: Tensor, ln_scale: float = 0.0) -> Tensor:
        wrong = -margins.amin(1).double().clamp(max=0)
        if not math.isinf(_exp(ln_scale)) or float(wrong.max()) == 0:
            return super().ln_risk(margins, ln_scale)
        return ln_scale + torch.log(wrong.sum())  # ℓᵢ = s |min_k pᵢₖ|, beside which the other examples' losses vanish

    def _ln_risk_at(self, margins: Tensor) -> Tensor:
        s = torch.logsumexp(-margins.double(), 1)  # ℓᵢ = softplus(sᵢ)
        # ln softplus(s) = s + ln(ln(1 + u)/u) for s ≤ 0, u = e^s; the last term is −u/2 + O(u²) where u is tiny
        zero = torch.zeros_like(s)
        u = torch.exp(torch.where(s <= 0, s, zero))
        safe = u.clamp(min=1e-300)
        correction = torch.where(u > 1e-9, torch.log(torch.log1p(safe) / safe), -u / 2)
        above = torch.where(s > 0, s, zero)  # autograd also goes through the unused branch: both must stay finite
        positive = torch.log(above + torch.log1p(torch.exp(-above)))
        return torch.logsumexp(torch.where(s > 0, positive, s + correction), 0)

    def _ln_slopes_at(self, margins: Tensor) -> Tensor:
        z = -margins.double()
        s = torch.logsumexp(z, 1, keepdim=True)
        return logsigmoid(s) + (z - s)

    def inverse(self, ln_risk: float) -> float:
        if ln_risk < -36.0:  # −ln(e^ℒ − 1) = −ln ℒ − ℒ/2 + O(ℒ²)
            return -ln_risk - math.exp(ln_risk) / 2
        risk = _exp(ln_risk)
        if risk > 700.0:
            return -risk
        return -math.log(math.expm1(risk))


class Logistic(CrossEntropy):
    """ℓ(z) = ln(1 + e^(−z)), two classes."""

    name = "logistic"


class Polynomial(Loss):
    """ℓ(z) = (1 + z)^(−k) for z ≥ 0 and 1 − k z for z < 0, two classes, k = 2."""

    name = "polynomial"
    power = 2.0  # k

    def ln_risk(self, margins: Tensor, ln_scale: float = 0.0) -> Tensor:
        z = margins.double()
        tail = -self.power * _ln_one_plus(z, ln_scale)
        return torch.logsumexp(torch.where(z >= 0, tail, _ln_one_plus(-self.power * z, ln_scale)).flatten(), 0)

    def ln_slopes(self, margins: Tensor, ln_scale: float = 0.0) -> Tensor:
        return math.log(self.power) - (self.power + 1) * _ln_one_plus(margins.double(), ln_scale)

    def weights(self, margins: Tensor, ln_scale: float = 0.0) -> Tensor:
        return torch.softmax(self.ln_slopes(margins, ln_scale).flatten(), 0).view_as(margins)

    def ln_margin(self, margins: Tensor, ln_scale: float = 0.0) -> float:
        ln_one_plus = -float(self.ln_risk(margins, ln_scale)) / self.power  # ln(1 + ℓ⁻¹(ℒ)) where ℒ < 1
        return ln_one_plus + math.log(-math.expm1(-ln_one_plus)) if ln_one_plus > 0 else math.nan

    def ln_concentration(self, margins: Tensor, ln_scale: float = 0.0) -> float:
        slopes = torch.logsumexp(self.ln_slopes(margins, ln_scale).flatten(), 0)
        ln_one_plus = max(-float(self.ln_risk(margins, ln_scale)) / self.power, 0.0)
        return float(slopes) - math.log(self.power) + (self.power + 1) * ln_one_plus

    def inverse(self, ln_risk: float) -> float:
        ln_one_plus = -ln_risk / self.power  # ln(1 + ℓ⁻¹(ℒ))
        if ln_risk > 0:
            return -(_exp(ln_risk) if ln_risk > FAR else math.expm1(ln_risk)) / self.power
        return _exp(ln_one_plus) if ln_one_plus > FAR else math.expm1(ln_one_plus)


def _ln_one_plus(z: Tensor, ln_scale: float) -> Tensor:
    """ln(1 + s max(z, 0)), finite for any s."""
    z = z.clamp(min=0)
    if ln_scale < 300.0:
        return torch.log1p(z * math.exp(ln_scale))
    return torch.where(z == 0, 0.0, torch.logaddexp(torch.zeros_like(z), ln_scale + torch.log(z)))


BY_NAME = {loss.name: loss for loss in (Exponential(), Logistic(), CrossEntropy(), Polynomial())}
