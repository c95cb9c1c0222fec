r"""Gradient descent on ℒ with a constant rate, as the discrete-time counterpart of the flow.

    W⁺ = W − η ∇ℒ(W),     ∇ℒ = −e^(ln Σ(−∂ℒ/∂p)) Σ q ∇p.

As ℒ → 0 so does ∇ℒ, and ‖W‖ creeps: ln(1/ℒ) grows like ln t. A reference without error control. The recorded error
is that of `descent`, ½ ‖ΔW‖ ‖u⁺ − u‖ relative to ‖W‖ with u = −∇ℒ/‖∇ℒ‖.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from dirconv.flow import State, Step
from dirconv.flow.point import Point, Taken, constant_steps, evaluate
from dirconv.options import configurable, require_positive

if TYPE_CHECKING:
    from dirconv.losses import Loss
    from dirconv.margins import MarginMap

NUMERICS = 1
GOES_THROUGH = ("point",)


@configurable
class Spec:
    """Options of the method."""

    method: Literal["gradient_descent"] = "gradient_descent"
    couples = True
    learning_rate: float = 1e-3  # η, of the total loss ℒ (a sum over the examples)

    def __post_init__(self) -> None:
        require_positive(self, "learning_rate")


def steps(margin_map: MarginMap, loss: Loss, spec: Spec, state: State) -> Iterator[Step]:
    """The state itself, measured, and then every step; the caller ends it."""

    def take(here: Point) -> Taken:
        slope = float(loss.ln_slopes(here.margins).flatten().logsumexp(0).exp())
        length = spec.learning_rate * slope * here.speed  # ‖ΔW‖
        there = evaluate(margin_map, loss, here.weights + length * here.direction)
        relative = length / float(here.weights.norm())
        return Taken(there, 1, relative, 0.5 * relative * float((there.direction - here.direction).norm()))

    return constant_steps(margin_map, loss, state, spec.learning_rate, take)
