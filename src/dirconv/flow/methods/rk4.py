r"""The classical Runge–Kutta method of fourth order, with steps of one size in relative arc length.

    dW/ds = ‖W‖ u(W),     u = −∇ℒ/‖∇ℒ‖,

where s is the length of W's path relative to ‖W‖. A reference for accuracy. Like every explicit method it is unstable
once ln(1/ℒ) times the step is large. The recorded error is the distance to the midpoint rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from dirconv.flow import State, Step
from dirconv.flow.point import Point, Taken, constant_steps, evaluate
from dirconv.options import configurable, require_positive

if TYPE_CHECKING:
    from torch import Tensor

    from dirconv.losses import Loss
    from dirconv.margins import MarginMap

NUMERICS = 1
GOES_THROUGH = ("point",)


@configurable
class Spec:
    """Options of the method."""

    method: Literal["rk4"] = "rk4"
    couples = True
    step: float = 1e-3  # of relative arc length

    def __post_init__(self) -> None:
        require_positive(self, "step")


def steps(margin_map: MarginMap, loss: Loss, spec: Spec, state: State) -> Iterator[Step]:
    """The state itself, measured, and then every step; the caller ends it."""
    h = spec.step

    def velocity(weights: Tensor) -> Tensor:
        return evaluate(margin_map, loss, weights).direction * weights.norm()

    def take(here: Point) -> Taken:
        first = here.direction * here.weights.norm()
        second = velocity(here.weights + h / 2 * first)
        third = velocity(here.weights + h / 2 * second)
        fourth = velocity(here.weights + h * third)
        change = (first + 2 * second + 2 * third + fourth) / 6
        error = h * float((change - second).norm() / here.weights.norm())
        return Taken(evaluate(margin_map, loss, here.weights + h * change), 4, h, error)

    return constant_steps(margin_map, loss, state, h, take)
