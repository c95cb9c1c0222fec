r"""Full-batch gradient descent on ln ℒ whose steps keep the local error within a tolerance.

Clock: arc length l of W, dW/dl = u(W) with u = −∇ℒ/‖∇ℒ‖. No risk is too small for it: u depends on the softmin
weights alone. One explicit Euler step, of length h ‖W‖, costs one gradient,

    W⁺ = W + h ‖W‖ u(W),        e = ½ h ‖u(W⁺) − u(W)‖,

where e is the leading term of the local error relative to ‖W‖. It is of order h²; `dirconv.flow.control` says which
step is accepted and how long the next one is. Nothing else is asked of a step: the risk may rise and the smoothed
margin may fall. A rule that forbade it would make the claim that it never falls one that cannot fail. Since e ≤ h, a
step of the tolerance's length is always accepted, so steps underflow only near the resolution of the weights.

Stiffness that grows like ln(1/ℒ) limits explicit steps (docs/design.md). This method is what a practitioner would run;
it does not come near the limit.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from dirconv.flow import State, Step, Underflow
from dirconv.flow.control import StepControl
from dirconv.flow.point import advance, evaluate, measure
from dirconv.options import configurable, require_positive

if TYPE_CHECKING:
    from dirconv.losses import Loss
    from dirconv.margins import MarginMap

NUMERICS = 1
GOES_THROUGH = ("point", "step_control")
SMALLEST_STEP = 1e-12  # relative to ‖W‖; float64 weights cannot resolve much less


@configurable
class Spec:
    """Options of the method."""

    method: Literal["descent"] = "descent"
    couples = True
    tolerance: float = 1e-3  # local error of a step, relative to ‖W‖
    first_step: float = 1e-4
    largest_step: float = 0.05

    def __post_init__(self) -> None:
        require_positive(self, "tolerance", "first_step", "largest_step")


def steps(margin_map: MarginMap, loss: Loss, spec: Spec, state: State) -> Iterator[Step]:
    """The state itself, measured, and then every accepted step; the caller ends it."""
    control = StepControl(tolerance=spec.tolerance, largest_step=spec.largest_step, smallest_step=SMALLEST_STEP)
    h = spec.first_step if math.isnan(state.step_size) else state.step_size
    here = evaluate(margin_map, loss, state.weights)
    if state.step == 0:
        state = dataclasses.replace(state, step_size=h, evaluations=1)
    yield measure(margin_map, loss, state, here)
    rejected = 0
    while True:
        norm = here.weights.norm()
        there = evaluate(margin_map, loss, here.weights + h * norm * here.direction)
        state = dataclasses.replace(state, evaluations=state.evaluations + 1)
        error = 0.5 * h * float((there.direction - here.direction).norm())
        factor = control.factor(error, 2)
        if not control.accepts(error):
            rejected += 1
            h = control.after_rejected(h, factor)
            if control.underflows(h):
                raise Underflow
            continue
        if not math.isfinite(error):  # the margins or the gradient are not finite: report the point, then stop
            yield measure(margin_map, loss, state, there, step_size=h, error=error, rejected=rejected)
            return
        taken, h = h, control.after_accepted(h, h, factor)
        state = advance(state, there.weights, h)
        yield measure(margin_map, loss, state, there, step_size=taken, error=error, rejected=rejected)
        here, rejected = there, 0
