r"""The flow's rates split into radial and spherical parts, and the same rates by another way.

With v = Σ q ∇p along −∇ℒ, θ = W/‖W‖ and ã = ℓ⁻¹(ℒ)/‖W‖^L, the gradient of ã and that of −ℒ have parallel spherical
parts and radial parts of one sign once ℒ < ℓ(0), so that

    dã/dt = ‖∂_r ã‖ ‖∂_r ℒ‖ + ‖∂_⊥ ã‖ ‖∂_⊥ ℒ‖,         dζ/dt = ‖∂_⊥ ℒ‖/‖W‖.                     (1)

In the clock τ = ln‖W‖, dτ/dt = ⟨W, −∇ℒ⟩/‖W‖², with κ = Σᵢ ℓ'(pᵢ)/ℓ'(ℓ⁻¹(ℒ)) (1 for exponential loss) and m = ℓ⁻¹(ℒ):

    d ln ã/dτ = L (κ Σ q p/m − 1) + κ ‖v_⊥‖² ‖W‖²/(m ⟨W, v⟩),          dζ/dτ = ‖v_⊥‖ ‖W‖/⟨W, v⟩.

The right sides come from q, p and v, backward through the map. The left sides never see v's parts: the margins' rates
are differentiated forward along v, d ln ã/dτ = κ Σ q ṗ/(m τ̇) − L, and the direction's speed is ‖d(W/‖W‖)/dτ‖. They
agree only if the two ways of differentiating do, and if the map is homogeneous of degree L.

The rates in τ are those of the point at unit norm, with p(W) = s p(θ), s = ‖W‖^L: all powers of ‖W‖ cancel but those in
q, in κ and in m = s ã. So s may be given as ln s, and overflow.

Margins are resolved to ρ · 10⁻¹⁶, ρ = p, and so is ln q: (1) can be seen to that.

Source: Ji & Telgarsky 2020, Section 3 (the decomposition of dã/dt and dζ/dt).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dirconv.losses import Loss

NUMERICS = 1
QUANTITIES = ("smoothed_margin", "path_length")
FIELDS = ("quantity", "left", "radial", "spherical", "difference")


def decompose(
    loss: Loss,
    degree: int,
    weights: Tensor,
    margins: Tensor,
    velocity: Tensor,
    rates: Tensor,
    ln_scale: float = 0.0,
) -> list[dict[str, float]]:
    """Both sides of (1) in τ: a row a quantity, with left, radial, spherical, and their relative difference.

    weights, velocity v: (D,); margins and their rates ṗ = ⟨∇p, v⟩ by forward differentiation: (n, K−1); float64.
    ln_scale: ln s where these are at the point θ of unit norm, v with the weights q at s p(θ); 0 where they are at W.
    """
    q = loss.weights(margins, ln_scale)
    m = math.exp(loss.ln_margin(margins, ln_scale) - ln_scale)
    kappa = math.exp(loss.ln_concentration(margins, ln_scale))
    radial = float(weights @ velocity)
    square = float(weights @ weights)
    spherical = velocity - weights * (radial / square)
    clock = radial / square  # τ̇ along v
    direction = torch.func.jvp(lambda w: w / w.norm(), (weights,), (velocity,))[1]
    rows = [
        (
            kappa * float((q * rates).sum()) / (m * clock) - degree,
            degree * (kappa * float((q * margins).sum()) / m - 1),
            kappa * float(spherical @ spherical) / (m * clock),
        ),
        (float(direction.norm()) / clock, 0.0, float(spherical.norm()) / (math.sqrt(square) * clock)),
    ]
    return [
        dict(zip(FIELDS, (quantity, *sides, _difference(*sides)), strict=True))
        for quantity, sides in zip(QUANTITIES, rows, strict=True)
    ]


def _difference(left: float, radial: float, spherical: float) -> float:
    return abs(left - radial - spherical) / max(abs(radial) + abs(spherical), 1e-300)
