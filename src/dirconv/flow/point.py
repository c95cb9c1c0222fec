"""What every method needs at a point W: margins, softmin weights, v = Σ q ∇p; and the record of a step."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from dirconv.flow import State, Step

if TYPE_CHECKING:
    from torch import Tensor

    from dirconv.losses import Loss
    from dirconv.margins import MarginMap

NUMERICS = 1
ROUNDING = 16  # bound of a margin's relative error, in units of roundoff (tests/unit/margins/test_rows.py)
ROUNDING_DOUBLE = ROUNDING * 2.0**-53  # the same bound in float64


@dataclasses.dataclass(frozen=True)
class Point:
    """The margins and the direction of −∇ℒ at weights W."""

    weights: Tensor  # W, (D,)
    margins: Tensor  # p, (n, K−1)
    q: Tensor  # softmin weights, (n, K−1)
    direction: Tensor  # u = v/‖v‖, (D,), v = Σ q ∇p
    speed: float  # ‖v‖


def evaluate(margin_map: MarginMap, loss: Loss, weights: Tensor) -> Point:
    """Margins and gradient at W, (D,)."""
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


def record(
    loss: Loss,
    state: State,
    weights: Tensor,
    margins: Tensor,
    q: Tensor,
    *,
    cos: float,
    cos_point: float,
    resolution: float,
    step_size: float = 0.0,
    error: float = 0.0,
    rejected: int = 0,
    landed: bool = False,
) -> Step:
    """The step that ends at W (D,) with margins p and softmin weights q, (n, K−1); the other fields as in `Step`."""
    ln_risk, norm = float(loss.ln_risk(margins)), float(weights.norm())
    return Step(
        state=state,
        tau=math.log(norm / state.start_norm) if norm != 0 else -math.inf,
        ln_risk=ln_risk,
        norm=norm,
        cos=cos,
        cos_point=cos_point,
        unnormalised_margin=loss.inverse(ln_risk),
        smallest_margin=float(margins.min()),
        effective_examples=1 / float(q.square().sum()),
        step_size=step_size,
        error=error,
        rejected=rejected,
        resolution=resolution,
        landed=landed,
    )


def measure(margin_map: MarginMap, loss: Loss, state: State, point: Point, **fields: float) -> Step:
    """The step to a point that an explicit method reached: its velocity is the gradient, cos = ⟨W, u⟩/‖W‖.

    fields: step_size, error and rejected of the step, none at the start.
    """
    cos = float(point.weights @ point.direction) / float(point.weights.norm())
    smallest = resolution(margin_map, point.margins)
    return record(
        loss, state, point.weights, point.margins, point.q, cos=cos, cos_point=cos, resolution=smallest, **fields
    )


def resolution(margin_map: MarginMap, margins: Tensor) -> float:
    """Absolute error that the smallest margins may have: above 1 the softmin weights are rounding noise."""
    return ROUNDING * margin_map.unit * float(margins.min().abs())
