r"""Losses by name, and ln ℓ(0) of each. Imports no torch; the formulas are in `dirconv.losses.log_domain`.

The risk is the paper's total loss, ℒ = Σᵢ ℓ(pᵢ), a sum and not a mean: ℒ < ℓ(0) then means that every example is
classified correctly.

Source: Ji & Telgarsky (2020), Section 2, for ℓ, ℒ and ℓ⁻¹.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

LOSSES = ("exponential", "logistic", "cross_entropy", "polynomial")
# ln ℓ(0) of one example with one other class; `cubic` is e^(−z³), the exponential loss of cubed margins
LN_AT_ZERO = {
    "exponential": 0.0,
    "logistic": math.log(math.log(2.0)),
    "cross_entropy": math.log(math.log(2.0)),
    "polynomial": 0.0,
    "cubic": 0.0,
}


class Loss:
    """What the flow needs of a loss. Margins p have shape (n, K−1), K being the number of classes.

    ln_scale: ln s, where the loss is taken at the margins s p: of a map of degree L at unit norm s = ‖W‖^L. s, s p and
    ℒ may over- or underflow; a result is infinite only where its true value is no float64.
    """

    name: str

    @property
    def ln_at_zero(self) -> float:
        """ln ℓ(0); the paper's assumption is ln ℒ < ln ℓ(0)."""
        return LN_AT_ZERO[self.name]

    def ln_risk(self, margins: Tensor, ln_scale: float = 0.0) -> Tensor:
        """ln ℒ, a float64 scalar; −∞ where ln ℒ overflows."""

    def ln_slopes(self, margins: Tensor, ln_scale: float = 0.0) -> Tensor:
        """ln(−∂ℒ/∂(s p)), (n, K−1), float64; −∞ where it overflows."""

    def weights(self, margins: Tensor, ln_scale: float = 0.0) -> Tensor:
        """Softmin weights q = −∂ℒ/∂p / Σ(−∂ℒ/∂p), (n, K−1), non-negative with sum 1."""

    def inverse(self, ln_risk: float) -> float:
        """ℓ⁻¹(ℒ) from ln ℒ: the margin at which a single example (K = 2) has the risk ℒ."""

    def ln_margin(self, margins: Tensor, ln_scale: float = 0.0) -> float:
        """ln ℓ⁻¹(ℒ), finite also where ℓ⁻¹(ℒ) and ln ℒ overflow; NaN where ℓ⁻¹(ℒ) ≤ 0."""

    def ln_concentration(self, margins: Tensor, ln_scale: float = 0.0) -> float:
        """ln κ, κ = Σ ℓ′(s p)/ℓ′(ℓ⁻¹(ℒ)): 0 for the exponential loss."""


def get(name: str) -> Loss:
    """The loss of that name, one of `LOSSES`; KeyError for another."""
    from dirconv.losses import log_domain

    return log_domain.BY_NAME[name]
