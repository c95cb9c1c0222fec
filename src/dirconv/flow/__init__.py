r"""Gradient flow on the risk, followed by any of several methods, each one module of this package.

A method sees a margin map, a loss and a state, and yields steps. Gradient flow on ℒ, on ln ℒ and at any other
positive speed traces one and the same curve W; what is recorded does not depend on the speed:

=================  ==========================================================================
‖W‖                norm of the flat weights; τ = ln(‖W‖/‖W₀‖) is the clock, W₀ the flow's start
ζ                  path length of the direction θ = W/‖W‖, summed over steps, radians
cos                alignment of the velocity: 1/√(1 + (dζ/dτ)²), with the method's own velocity for the step
cos_point          alignment cos ∠(W, −∇ℒ) at the point itself, from the gradient recomputed there
ℓ⁻¹(ℒ)             smoothed margin before normalization; ã = ℓ⁻¹(ℒ)/‖W‖^L for a map of degree L
local error        the method's estimate for the step, as a distance relative to ‖W‖
resolution         bound of the rounding error of the smallest margin: above 1, softmin weights are noise
=================  ==========================================================================

On a smooth map `cos` and `cos_point` agree as steps get small; explicit methods have one velocity, the gradient. On a
ReLU network the flow slides along kinks, where the gradient at a point is one of many and may chatter for ever.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from dirconv.options import Stop, member, parse

if TYPE_CHECKING:
    from torch import Tensor

    from dirconv.losses import Loss
    from dirconv.margins import MarginMap


class StopReason(enum.StrEnum):
    """Why a flow ended."""

    TAU = "tau"  # τ reached the asked-for value
    RISK = "log_inverse_risk"  # ln(1/ℒ) did
    STEPS = "steps"  # so many steps were taken
    STEP_UNDERFLOW = "step_underflow"  # no step, however small, had a local error within the tolerance
    ALIGNMENT = "cos"  # cos did
    TAIL = "tail"  # what tan ∠ dτ would add to the path if it went on decaying as it does fell below it
    PRECISION = "precision"  # margins are so large that their rounding errors decide the softmin weights
    NOT_FINITE = "not_finite"  # weights or risk stopped being finite numbers, or the gradient vanishes: all units dead


GOALS = (StopReason.TAU, StopReason.RISK, StopReason.STEPS, StopReason.ALIGNMENT, StopReason.TAIL)  # asked for


@dataclasses.dataclass
class State:
    """Everything that a method needs to go on exactly where it was."""

    weights: Tensor  # (D,), float64
    step: int = 0
    step_size: float = math.nan  # the next step to be tried, in the method's own clock; NaN: the method's first
    evaluations: int = 0  # of the margins with one gradient
    path_length: float = 0.0  # ζ
    jacobians: int = 0  # how many times all examples' gradients were compared (a Gram matrix)
    memory: dict[str, Tensor] = dataclasses.field(default_factory=dict)  # what else the method goes on from


@dataclasses.dataclass(frozen=True)
class Step:
    """One accepted step (or the start): the state after it and what was measured there.

    A method may show a step again, with the state in which it tries the next one once more.
    """

    state: State
    ln_risk: float
    norm: float
    cos: float  # of the step's velocity
    cos_point: float  # cos ∠(W, −∇ℒ) at the point
    unnormalised_margin: float  # ℓ⁻¹(ℒ)
    smallest_margin: float  # min p
    effective_examples: float  # 1/Σq²: how many margins carry the gradient
    step_size: float  # of the step taken
    error: float  # its local error estimate
    rejected: int  # attempts before it that were not accepted
    resolution: float  # rounding error of the smallest margin
    landed: bool = False  # whether the step ended where it was told to: at the same τ as other runs


class Underflow(ArithmeticError):
    """Raised by a method when its step size underflows."""


class Spec(Protocol):
    """What a flow method's `Spec` offers: its options."""

    method: str


def specification(options: dict[str, Any], where: str) -> Spec:
    """The validated options of the method that `options["method"]` names; UserError naming the key otherwise."""
    module = member("flow", options.get("method", ""), f"{where}.method")
    return parse(module.Spec, options, where)


def from_options(options: dict[str, Any]) -> Spec:
    """The same from options that have been validated already (needs no pydantic)."""
    return member("flow", options["method"], "flow").Spec(**options)


def level(ln_risk: float, per_decade: int) -> int:
    """Index of the last of the log-spaced levels ln(1/ℒ) = 10^(k/per_decade) that has been reached, for finite ln ℒ."""
    return math.floor(per_decade * math.log10(max(-ln_risk, 1e-9)))


@dataclasses.dataclass(frozen=True)
class Event:
    """A step as the study sees it."""

    step: Step
    snapshot: bool  # whether to keep the weights: first of its level of ln(1/ℒ), landed on a τ, start, end
    highest_level: int | None  # of ln(1/ℒ), reached so far
    stop: StopReason | None  # set on the last event
    progress: float  # share of the way to the nearest goal, 0 to 1


def follow(
    margin_map: MarginMap,
    loss: Loss,
    spec: Spec,
    stop: Stop,
    state: State,
    *,
    norm_start: float,
    highest_level: int | None = None,
    per_decade: int = 8,
    seen: Iterable[tuple[float, float]] = (),
) -> Iterator[Event]:
    """Follow the flow from `state` to the first goal in `stop`; the last event carries the reason.

    norm_start: ‖W₀‖, where τ = 0. highest_level: of the snapshots taken so far, None at the start. seen: τ and cos of
    the steps before `state`, for a flow that goes on.
    """
    method = member("flow", spec.method, "flow")
    tail, last = _Tail(stop.tail, seen), None
    try:
        for step in method.steps(margin_map, loss, spec, state):
            again = last is not None and step.state.step == last.state.step
            last = step
            progress, reason = _goal(step, stop, norm_start)
            if reason is None and not again and tail.reached(math.log(step.norm / norm_start), step.cos):
                progress, reason = 1.0, StopReason.TAIL
            new_level = False
            if reason is not StopReason.NOT_FINITE:
                reached = level(step.ln_risk, per_decade)
                new_level = highest_level is None or reached > highest_level
                highest_level = reached if new_level else highest_level
            kept = new_level or step.landed or reason is not None
            yield Event(step, kept, highest_level, reason, progress)
            if reason is not None:
                return
    except Underflow:
        yield Event(last, True, highest_level, StopReason.STEP_UNDERFLOW, 1.0)


def _goal(step: Step, stop: Stop, norm_start: float) -> tuple[float, StopReason | None]:
    if not all(math.isfinite(value) for value in (step.ln_risk, step.norm, step.cos)):
        return 1.0, StopReason.NOT_FINITE
    if step.resolution > 1:
        return 1.0, StopReason.PRECISION
    shares = {
        StopReason.TAU: math.log(step.norm / norm_start) / stop.tau,
        StopReason.RISK: max(-step.ln_risk, 0.0) / stop.log_inverse_risk,
        StopReason.STEPS: step.state.step / stop.steps,
        StopReason.ALIGNMENT: max(step.cos, 0.0) / stop.cos,
    }
    nearest = max(shares, key=lambda reason: shares[reason])
    return min(max(shares[nearest], 0.0), 1.0), nearest if shares[nearest] >= 1.0 - 1e-12 else None


class _Tail:
    r"""The path that would remain, ∫ tan ∠ dτ from here to infinity, if tan ∠ went on decaying as τ^(−p).

    p is read off the mean tan ∠ over (τ/4, τ/2] and (τ/2, τ]; for p ≤ 1 nothing finite remains. Asked for a goal only:
    verdicts have their own statistics.
    """

    def __init__(self, goal: float, seen: Iterable[tuple[float, float]]) -> None:
        self._goal, self._seen = goal, []
        for tau, cos in seen:
            self.reached(tau, cos)

    def reached(self, tau: float, cos: float) -> bool:
        """Whether it is at most the goal at τ; every step is to be shown once."""
        if self._goal == 0 or not cos > 0:
            return False
        self._seen.append((tau, math.sqrt(max(1 - cos**2, 0.0)) / cos))
        early = [tan for t, tan in self._seen if tau / 4 < t <= tau / 2]
        late = [tan for t, tan in self._seen if tau / 2 < t]
        if min(len(early), len(late)) < 4 or min(early[0], late[-1]) <= 0:
            return False
        first, second = sum(early) / len(early), sum(late) / len(late)
        exponent = math.log(first / second) / math.log(2)
        return exponent > 1 and late[-1] * tau / (exponent - 1) <= self._goal
