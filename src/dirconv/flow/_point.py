"""What every method needs at a point W: margins, softmin weights, v = Σ q ∇p; and what is recorded of it."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from dirconv.flow import State, Step

if TYPE_CHECKING:
    from torch import Tensor

    from dirconv.losses import Loss
    from dirconv.margins import MarginMap

ROUNDING = 16  # times the unit roundoff: what a margin's relative error stays below (tests/unit/test_rows.py)


@dataclasses.dataclass(frozen=True)
class Point:
    """The margins and the direction of −∇ℒ at weights W."""

    weights: Tensor
    margins: Tensor
    q: Tensor
    direction: Tensor  # u, unit length
    speed: float  # ‖v‖, v = Σ q ∇p = speed · u


def evaluate(margin_map: MarginMap, loss: Loss, weights: Tensor) -> Point:
    """Margins and gradient at W."""
    margins, pullback = margin_map.linearize(weights)
    q = loss.weights(margins)
    velocity = pullback(q)
    speed = velocity.norm()
    return Point(weights, margins, q, velocity / speed, float(speed))


def angle(first: Tensor, second: Tensor) -> float:
    """Between the directions of two weight vectors, in radians; accurate where it is small."""
    chord = float((first / first.norm() - second / second.norm()).norm())
    return 2 * math.asin(min(chord / 2, 1.0))


def advance(state: State, weights: Tensor, step_size: float, evaluations: int = 0, **changes) -> State:
    """The state after a step to W⁺; `step_size` is the next step's, `evaluations` how many this one took."""
    return dataclasses.replace(
        state,
        weights=weights,
        step=state.step + 1,
        step_size=step_size,
        evaluations=state.evaluations + evaluations,
        path_length=state.path_length + angle(weights, state.weights),
        **changes,
    )


def measure(
    margin_map: MarginMap,
    loss: Loss,
    state: State,
    point: Point,
    *,
    step_size: float = 0.0,
    error: float = 0.0,
    rejected: int = 0,
) -> Step:
    """The record of a point that an explicit method reached: velocity and gradient are one."""
    ln_risk = float(loss.ln_risk(point.margins))
    norm = float(point.weights.norm())
    cos = float(point.weights @ point.direction) / norm
    return Step(
        state=state,
        ln_risk=ln_risk,
        norm=norm,
        cos=cos,
        cos_point=cos,
        unnormalised_margin=loss.inverse(ln_risk),
        smallest_margin=float(point.margins.min()),
        effective_examples=1 / float(point.q.square().sum()),
        step_size=step_size,
        error=error,
        rejected=rejected,
        resolution=resolution(margin_map, point.margins),
    )


def resolution(margin_map: MarginMap, margins: Tensor) -> float:
    """Absolute error that the smallest margins may have: above 1 the softmin weights are rounding noise."""
    return ROUNDING * margin_map.unit * float(margins.min().abs())
