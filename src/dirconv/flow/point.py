"""What every method needs at a point W: margins, softmin weights, v = Σ q ∇p; and the record of a step."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from dirconv.flow import State, Step
from dirconv.geometry import angle

if TYPE_CHECKING:
    from torch import Tensor

    from dirconv.losses import Loss
    from dirconv.margins import MarginMap

NUMERICS = 1
GOES_THROUGH = ("geometry",)
ROUNDING = 16  # bound of a margin's relative error, in units of roundoff (tests/unit/margins/test_rows.py)
LARGEST_LN = 709.0  # e to this power is a float64
ROUNDING_DOUBLE = ROUNDING * 2.0**-53  # the same bound in float64


@dataclasses.dataclass(frozen=True)
class Point:
    """The margins and the direction of −∇ℒ at weights W."""

    weights: Tensor  # W, (D,)
    margins: Tensor  # p, (n, K−1)
    q: Tensor  # softmin weights, (n, K−1)
    direction: Tensor  # u = v/‖v‖, (D,), v = Σ q ∇p
    speed: float  # ‖v‖


class Taken(NamedTuple):
    """A step of an explicit method: its end, how many evaluations it took, its size and error as they are recorded."""

    end: Point
    evaluations: int
    step_size: float
    error: float


def evaluate(margin_map: MarginMap, loss: Loss, weights: Tensor) -> Point:
    """Margins and gradient at W, (D,)."""
    margins, pullback = margin_map.linearize(weights)
    q = loss.weights(margins)
    velocity = pullback(q)
    speed = velocity.norm()
    return Point(weights, margins, q, velocity / speed, float(speed))


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
    ln_scale: float = 0.0,
    **fields: float | bool,
) -> Step:
    """The step that ends at W (D,) with margins p and softmin weights q, (n, K−1); the other fields of `Step`.

    ln_scale: ln s where `margins` are those at unit norm, p(θ), and s p(θ) may overflow; 0 where they are those at W.
    fields: may replace the margins' sizes and `temperature`, which are computed here.
    """
    ln_risk, norm = float(loss.ln_risk(margins, ln_scale)), float(weights.norm())
    smallest, scale = float(margins.min()), math.exp(ln_scale) if ln_scale < LARGEST_LN else math.inf
    margin_sizes = sizes(loss.inverse(ln_risk), smallest * scale if smallest != 0 else 0.0)
    if ln_scale != 0.0:
        margin_sizes["ln_margin"] = loss.ln_margin(margins, ln_scale)
    return Step(
        state=state,
        tau=math.log(norm / state.start_norm) if norm != 0 else -math.inf,
        ln_risk=ln_risk,
        norm=norm,
        effective_examples=1 / float(q.square().sum()),
        **margin_sizes | fields,
    )


def sizes(margin: float, smallest: float) -> dict[str, float]:
    """The fields of `Step` that follow from ℓ⁻¹(ℒ), `margin`, and min p, `smallest`."""
    return {
        "unnormalised_margin": margin,
        "smallest_margin": smallest,
        "ln_margin": math.log(margin) if margin > 0 else math.nan,
        "temperature": 1 / smallest if smallest > 0 else math.nan,
    }


def measure(margin_map: MarginMap, loss: Loss, state: State, point: Point, **fields: float) -> Step:
    """The step to a point that an explicit method reached: its velocity is the gradient, cos = ⟨W, u⟩/‖W‖.

    fields: step_size, error and rejected of the step, none at the start.
    """
    cos = float(point.weights @ point.direction) / float(point.weights.norm())
    fields |= {"cos": cos, "cos_point": cos, "resolution": resolution(margin_map, point.margins)}
    return record(loss, state, point.weights, point.margins, point.q, **fields)


def constant_steps(
    margin_map: MarginMap, loss: Loss, state: State, size: float, take: Callable[[Point], Taken]
) -> Iterator[Step]:
    """The state itself, measured, and then every step that `take` makes; for methods whose steps have one `size`."""
    here = evaluate(margin_map, loss, state.weights)
    if state.step == 0:
        state = dataclasses.replace(state, step_size=size, evaluations=1)
    yield measure(margin_map, loss, state, here)
    while True:
        here, evaluations, step_size, error = take(here)
        state = advance(state, here.weights, size, evaluations)
        yield measure(margin_map, loss, state, here, step_size=step_size, error=error)


def resolution(margin_map: MarginMap, margins: Tensor) -> float:
    """Absolute error that the smallest margins may have: above 1 the softmin weights are rounding noise."""
    return ROUNDING * margin_map.unit * float(margins.min().abs())
