r"""Dormand and Prince's adaptive method of fifth order, as torchdiffeq has it, on dW/ds = ‖W‖ u(W).

s is the length of W's path relative to ‖W‖, u = −∇ℒ/‖∇ℒ‖ (see `rk4`). A recorded step is a segment of s; within it the
library chooses its own steps. This is the reference that a user of ODE solvers would reach for: accurate, and limited
by the flow's stiffness. The recorded error is the requested tolerance.
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

    method: Literal["dopri5"] = "dopri5"
    couples = True
    tolerance: float = 1e-6  # relative to ‖W‖
    segment: float = 0.01  # of relative arc length between recorded steps

    def __post_init__(self) -> None:
        require_positive(self, "tolerance", "segment")


def steps(margin_map: MarginMap, loss: Loss, spec: Spec, state: State) -> Iterator[Step]:
    """The state itself, measured, and then every segment; the caller ends it."""
    from torchdiffeq import odeint

    span = state.weights.new_tensor([0.0, spec.segment])

    def take(here: Point) -> Taken:
        calls = 0

        def velocity(_: Tensor, weights: Tensor) -> Tensor:
            nonlocal calls
            calls += 1
            return evaluate(margin_map, loss, weights).direction * weights.norm()

        # the library's norm is the root mean square over coordinates, so ‖W‖/√D is the unit of its absolute tolerance
        scale = float(here.weights.norm()) / len(here.weights) ** 0.5
        end = odeint(velocity, here.weights, span, rtol=0.0, atol=spec.tolerance * scale, method="dopri5")[-1]
        return Taken(evaluate(margin_map, loss, end), calls + 1, spec.segment, spec.tolerance)

    return constant_steps(margin_map, loss, state, spec.segment, take)
