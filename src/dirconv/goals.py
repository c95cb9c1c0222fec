"""Where a flow stops, and why it did. Imports no torch."""

from __future__ import annotations

import enum
import math

from dirconv.options import configurable, require_positive


class StopReason(enum.StrEnum):
    """Why a flow ended; `describe` says it in words, with a remedy where the flow did not reach a goal."""

    TAU = "tau"
    RISK = "log_inverse_risk"
    STEPS = "steps"
    ALIGNMENT = "cos"
    TAIL = "tail"
    STEP_UNDERFLOW = "step_underflow"
    NOT_FINITE = "not_finite"
    RISK_ROSE = "risk_rose"
    WRONG_GRADIENT = "wrong_gradient"

    @property
    def describe(self) -> str:
        """One phrase for messages, without a full stop."""
        return _DESCRIPTIONS[self]


_DESCRIPTIONS = {
    StopReason.TAU: "τ reached its goal",
    StopReason.RISK: "ln(1/ℒ) reached its goal",
    StopReason.STEPS: "the number of steps reached its limit; raise `steps` to follow the flow further",
    StopReason.ALIGNMENT: "cos reached its goal",
    StopReason.TAIL: "the estimated remaining path fell below its goal",
    StopReason.STEP_UNDERFLOW: "no step has an error within the tolerance; raise the tolerance or change the method",
    StopReason.NOT_FINITE: (
        "the weights, the risk or the gradient's direction are not finite numbers (all units may be dead); "
        "lower the step size or start elsewhere"
    ),
    StopReason.RISK_ROSE: (
        "the next step would raise the risk by more than its error allows, or to ℓ(0); the map has a pole or a jump "
        "there (normalization by a weight's norm has), or the step size is too large"
    ),
    StopReason.WRONG_GRADIENT: (
        "the gradient is not the derivative of the margins any more; remove straight-through estimators, `detach` and "
        "backward passes of your own"
    ),
}
GOALS = (StopReason.TAU, StopReason.RISK, StopReason.STEPS, StopReason.ALIGNMENT, StopReason.TAIL)  # may be asked for


@configurable
class Stop:
    """Where a flow stops: at the first goal that it reaches. Time is never a goal, so results do not depend on it.

    steps: accepted steps; a count.
    log_inverse_risk: ln(1/ℒ), ℒ the total loss; in nats.
    tau: τ = ln(‖W‖/‖W₀‖), W₀ the flow's start; in nats.
    cos: cos ∠ between W and the velocity; at most 1.
    tail: the path that would remain, ∫ tan ∠ dτ, if tan ∠ went on decaying as a power of τ (`dirconv.flow.goals`); in
    radians. It is reached from above; 0: not a goal.

    ValueError, naming the field, for a goal that is not above zero (`tail`: that is negative).
    """

    steps: int = 1000
    log_inverse_risk: float = math.inf
    tau: float = math.inf
    cos: float = math.inf
    tail: float = 0.0

    def __post_init__(self) -> None:
        require_positive(self, "steps", "log_inverse_risk", "tau", "cos")
        if not self.tail >= 0:
            raise ValueError(f"tail: must not be negative, got {self.tail}")
