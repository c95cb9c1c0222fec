r"""Is what a method follows a gradient flow? Two checks that hold for every method; they move no number that passes.

*The gradient is the derivative of the margins.* A backward pass need not be that: straight-through estimators,
`detach`, fake quantization. With v = Σ q_i ∇p_i from the backward pass and weights q_i > 0, Euler's identity says of a
map of degree L

    ⟨W, v⟩ = L Σ q_i p_i(W),

and of any map central differences say, in the direction d,

    ⟨d, v⟩ = (Σ q_i p_i(W + hd) − Σ q_i p_i(W − hd))/(2h) + O(h²).

*The risk does not rise.* Along a flow it never does. A step of the local error e, a distance relative to ‖W‖, may end
where the smoothed margin m = ℓ⁻¹(ℒ) is lower: ln(1 + m) by about e ‖W‖ ‖∇ ln(1 + m)‖ and not by more. It may not leave
ℒ < ℓ(0), nor lose a large part of 1 + m whatever its error is. A step that does went past a pole or a jump of the map,
and the run ends at the step before.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from dirconv.geometry import directions

if TYPE_CHECKING:
    from torch import Tensor

    from dirconv.flow import Step
    from dirconv.losses import Loss
    from dirconv.margins import MarginMap

NUMERICS = 1
GOES_THROUGH = ("geometry",)
WRONG = 1e-3  # relative deviation above which the gradient is not the derivative
UNSEEN = 1e-5  # of ‖v‖: deviations in one direction below this are the kinks' that the difference crosses
AWAY = 1e-3  # root mean square of how far from W differences are taken, relative to that of W: W may lie on a kink
DIFFERENCES = (1e-6, 1e-7, 1e-8)  # h ‖d‖/‖W‖; the gradient is wrong where it fits none of them
ALLOWED = 10.0  # times what the local error explains; in no committed run was it above 1.1
LARGEST_FALL = 0.5  # of ln(1 + m), whatever the error; in no committed run was it above 0.43
UNROUNDED = 1e-12  # relative to ‖v‖ and to one, what Euler's identity is off by in float64
ROUNDINGS = 64.0  # units of roundoff that two margins may differ by


def is_due(number: int) -> bool:
    """Whether the gradient is checked after this step: at the start and after 1, 2, 4, 8, … steps."""
    return number & (number - 1) == 0


def gradient_fault(margin_map: MarginMap, loss: Loss, weights: Tensor) -> str:
    """What says that the gradient at W (D,) is not the derivative of the margins, or ''. It is checked in float64."""
    exact = margin_map.precise()
    return _euler(exact, loss, weights) if margin_map.degree else _differences(exact, loss, weights)


def _euler(exact: MarginMap, loss: Loss, weights: Tensor) -> str:
    x, degree = directions(weights), exact.degree
    margins, pullback = exact.linearize(x)
    q = _weights(loss, margins, degree * float(weights.norm().log()))
    v = pullback(q)
    found, expected = float(x @ v), degree * float((q * margins).sum())
    rounding = UNROUNDED * max(1.0, float(v.norm()))  # all that there is where margins vanish, as at many starts
    if not abs(found - expected) > WRONG * degree * float((q * margins.abs()).sum()) + rounding:
        return ""
    return f"⟨W, ∇p⟩ = L p (Euler) does not hold: {found:.4g} on the left, {expected:.4g} on the right, at ‖W‖ = 1"


def _differences(exact: MarginMap, loss: Loss, weights: Tensor) -> str:
    import torch

    noise = torch.randn(weights.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    noise = noise.to(weights.device) * (weights.norm() / math.sqrt(weights.numel()))
    x = weights + AWAY * noise
    margins, pullback = exact.linearize(x)
    q = _weights(loss, margins, 0.0)
    v = pullback(q)
    for d in (directions(x), directions(noise)):
        claimed = float(d @ v)
        if not math.isfinite(claimed):
            continue
        quotients = []
        for relative in DIFFERENCES:
            h = relative * float(x.norm())
            quotients.append(float((q * (exact.values(x + h * d) - exact.values(x - h * d))).sum()) / (2 * h))
        bound = UNSEEN * float(v.norm())
        if all(abs(found - claimed) > WRONG * max(abs(found), abs(claimed)) + bound for found in quotients):
            return f"along a direction margins grow by {quotients[0]:.4g}, their gradient says {claimed:.4g}"
    return ""


def _weights(loss: Loss, margins: Tensor, ln_scale: float) -> Tensor:
    """Half the softmin's weights, and half the same for all: those that the flow feels, and no margin left out."""
    return 0.5 * loss.weights(margins, ln_scale) + 0.5 / margins.numel()


def rose(margin_map: MarginMap, loss: Loss, before: Step, after: Step) -> bool:
    """Whether ℒ left ℒ < ℓ(0) along a step, or rose by more than the step's error allows; one gradient where it rose.

    A method that estimates no error (NaN) sees to it itself that the risk falls.
    """
    if math.isnan(before.ln_margin):  # ℒ < ℓ(0) did not hold
        return False
    if math.isnan(after.ln_margin):
        return True
    fall = float(np.logaddexp(0.0, before.ln_margin) - np.logaddexp(0.0, after.ln_margin))
    if not fall > 0:
        return False
    weights, degree = after.state.weights, margin_map.degree
    x = weights if degree is None else directions(weights)
    ln_scale = 0.0 if degree is None else degree * math.log(after.norm)
    margins, pullback = margin_map.linearize(x)
    # ∇m = Σ q ∇p Σ ℓ'(p)/ℓ'(m), and 1 + m, at the scale of x
    gradient = pullback(loss.weights(margins, ln_scale)) * math.exp(loss.ln_concentration(margins, ln_scale))
    size = math.exp(np.logaddexp(0.0, after.ln_margin) - ln_scale)
    explained = after.error * float(x.norm() * gradient.norm()) / size
    rounding = ROUNDINGS * margin_map.unit * max(1.0, float(margins.abs().min()) / size)
    return fall > min(ALLOWED * explained, LARGEST_FALL) + rounding
