r"""Full-batch gradient descent on ln ℒ whose steps keep the local error within a tolerance.

Clock: arc length l of W, dW/dl = u(W) with u = −∇ℒ/‖∇ℒ‖, which no risk is too small for: u comes from the softmin
weights alone. One explicit Euler step, of length h ‖W‖, costs one gradient,

    W⁺ = W + h ‖W‖ u(W),        e = ½ h ‖u(W⁺) − u(W)‖,

e being the leading term of the local error relative to ‖W‖. A step is accepted when e ≤ tolerance, and on nothing
else: the risk may rise and the smoothed margin may fall, since a rule that forbade it would make the claim that it
never falls one that cannot fail. The next step is h · clip(0.9 √(tolerance/e), 0.2, 2). Since e ≤ h, a step of the
tolerance's length is always accepted: it underflows only with a tolerance near the resolution of the weights.

Explicit steps are held back by stiffness that grows like ln(1/ℒ) (docs/design.md): this method is what a
practitioner would run, it gets to the doorstep of the limit and no further.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from dirconv.flow import State, Step, Underflow
from dirconv.flow._point import advance, evaluate, measure
from dirconv.options import require_positive

if TYPE_CHECKING:
    from dirconv.losses import Loss
    from dirconv.margins import MarginMap

SMALLEST_STEP = 1e-12  # relative to ‖W‖; float64 weights cannot resolve much less


@dataclasses.dataclass(frozen=True, kw_only=True)
class Spec:
    """Options of the method."""

    method: Literal["descent"] = "descent"
    tolerance: float = 1e-3  # local error of a step, relative to ‖W‖
    first_step: float = 1e-4
    largest_step: float = 0.05

    __pydantic_config__ = {"extra": "forbid", "strict": True}

    def __post_init__(self) -> None:
        require_positive(self, "tolerance", "first_step", "largest_step")


def steps(margin_map: MarginMap, loss: Loss, spec: Spec, state: State) -> Iterator[Step]:
    """The state itself, measured, and then every accepted step; the caller ends it."""
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
        factor = 0.9 * math.sqrt(spec.tolerance / error) if error > 0 else 2.0
        taken, h = h, min(h * min(max(factor, 0.2), 2.0), spec.largest_step)
        if error > spec.tolerance:
            rejected += 1
            if h < SMALLEST_STEP:
                raise Underflow
            continue
        if not math.isfinite(error):  # the margins or the gradient are no numbers any more: report, then stop
            yield measure(margin_map, loss, state, there, step_size=taken, error=error, rejected=rejected)
            return
        state = advance(state, there.weights, h)
        yield measure(margin_map, loss, state, there, step_size=taken, error=error, rejected=rejected)
        here, rejected = there, 0
