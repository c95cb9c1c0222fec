r"""Gradient flow on the risk. The methods that follow it are the modules of `dirconv.flow.methods`.

A method sees a margin map, a loss and a state, and yields steps. Gradient flow on ℒ, on ln ℒ, or at any other
positive speed traces the same curve W. What is recorded, a `Step`, does not depend on the speed.

On a smooth map `cos` and `cos_point` agree as steps get small; explicit methods have one velocity, the gradient. On a
ReLU network the flow slides along kinks, where the gradient at a point is one of many and may chatter for ever.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from dirconv.errors import UserError
from dirconv.flow.goals import Goals
from dirconv.goals import StopReason
from dirconv.options import modules, parse, plugin

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

    from dirconv.goals import Stop
    from dirconv.losses import Loss
    from dirconv.margins import MarginMap

NUMERICS = 1
GOES_THROUGH = ("goals", "soundness")
HIGHEST = 1e15  # level of ln(1/ℒ) beyond which snapshots are taken only where steps land
MOST_DECADES = 1e6  # of 1/ℒ, up to which log10 ℒ is shown


@dataclasses.dataclass
class State:
    """Everything that a method needs to continue exactly where it was. `State.at_start` makes the first one."""

    weights: Tensor  # (D,), float64
    start_norm: float  # ‖W₀‖, where τ = 0
    step: int = 0
    step_size: float = math.nan  # the next step to be tried, in the method's own clock; NaN: the method chooses it
    evaluations: int = 0  # of the margins with one gradient
    path_length: float = 0.0  # ζ, of the direction θ = W/‖W‖, summed over steps, radians
    jacobians: int = 0  # how many times all examples' gradients were compared (a Gram matrix)
    memory: dict[str, Tensor] = dataclasses.field(default_factory=dict)  # what else the method needs

    @classmethod
    def at_start(cls, weights: Tensor) -> State:
        """The state of a flow that starts at W₀ = `weights` (D,), where τ = 0."""
        return cls(weights, float(weights.norm()))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step:
    """One accepted step (or the start): the state after it and what was measured there.

    `dirconv.flow.point.record` makes it. A method may show a step again, with the state from which it tries the next.
    """

    state: State
    tau: float  # ln(‖W‖/‖W₀‖), the clock; W₀ is the flow's start
    ln_risk: float
    norm: float  # ‖W‖
    cos: float  # alignment of the velocity, 1/√(1 + (dζ/dτ)²), with the method's own velocity for the step
    cos_point: float  # cos ∠(W, Σ q ∇p(W)), recomputed; q of ℒ at W, or those that the step of `bundle` was solved for
    unnormalised_margin: float  # ℓ⁻¹(ℒ), the smoothed margin before normalization: ã = ℓ⁻¹(ℒ)/‖W‖^L for degree L
    smallest_margin: float  # min p
    effective_examples: float  # 1/Σq²: how many margins carry the gradient
    step_size: float = 0.0  # of the step taken
    error: float = 0.0  # the method's estimate of its local error, as a distance relative to ‖W‖
    rejected: int = 0  # attempts before it that were not accepted
    resolution: float  # bound of the rounding error of the smallest margin: above 1, softmin weights are noise
    landed: bool = False  # whether the step ended on a τ where those of other runs do, as `land` says
    ln_margin: float = math.nan  # ln ℓ⁻¹(ℒ), finite where that overflows; NaN where it is not positive
    # 1/(s min p(θ)), the softmin's width relative to the smallest margin; 0 where the step took the hard minimum, NaN
    # where min p is not positive
    temperature: float = math.nan

    def row(self) -> dict[str, Any]:
        """The row of steps.parquet: step, tau, evaluations, jacobians, zeta, and the other fields in their order."""
        state = self.state
        counts = {"step": state.step, "tau": self.tau, "evaluations": state.evaluations, "jacobians": state.jacobians}
        rest = {name: getattr(self, name) for name in _MEASURED}
        return {**counts, "zeta": state.path_length, **rest}


_MEASURED = tuple(field.name for field in dataclasses.fields(Step) if field.name not in ("state", "tau"))


def path_table(steps: pd.DataFrame, degree: int | None, loss: Loss) -> pd.DataFrame:
    """The table `path`: `steps` has the columns of `Step.row`; three more go behind zeta.

    tan: tan ∠ of the velocity. smoothed_margin: ã = ℓ⁻¹(ℒ)/‖W‖^L, NaN without a degree. below: whether ℒ < ℓ(0).
    """
    import numpy as np

    table = steps.assign(
        tan=np.sqrt(np.maximum(1 - steps["cos"] ** 2, 0)) / steps["cos"],
        smoothed_margin=np.nan if degree is None else _smoothed(steps, degree),
        below=steps["ln_risk"] < loss.ln_at_zero,
    )
    derived = ["tan", "smoothed_margin", "below"]
    measured = [name for name in steps if name not in derived]
    return table[[*measured[:5], *derived, *measured[5:]]]


def _smoothed(steps: pd.DataFrame, degree: int) -> pd.Series:
    """ã, by logarithms where steps have them and it is positive: ℓ⁻¹(ℒ) and ‖W‖^L may overflow."""
    import numpy as np

    with np.errstate(over="ignore", invalid="ignore"):
        plain = steps["unnormalised_margin"] / steps["norm"] ** degree
    if "ln_margin" not in steps:  # recorded before the column was
        return plain
    return plain.where(steps["ln_margin"].isna(), np.exp(steps["ln_margin"] - degree * np.log(steps["norm"])))


class Underflow(ArithmeticError):
    """Raised by a method when its step size is too small to be tried."""


class Spec(Protocol):
    """What a flow method's `Spec` offers: its options."""

    method: str
    couples: bool  # whether it follows networks whose examples batch statistics couple; no option


def specification(options: dict[str, Any], where: str) -> Spec:
    """The validated options of the method that `options["method"]` names; UserError naming the key otherwise."""
    module = plugin("flow.methods", options.get("method", ""), f"{where}.method")
    return parse(module.Spec, options, where)


def from_options(options: dict[str, Any]) -> Spec:
    """The same from options that have been validated already (needs no pydantic)."""
    return plugin("flow.methods", options["method"], "flow").Spec(**options)


def refusal(spec: Spec, coupled: bool) -> str:
    """Why the method cannot follow a map, with the remedy, or '': batch statistics couple its examples."""
    if spec.couples or not coupled:
        return ""
    able = [name for name in modules("flow.methods") if plugin("flow.methods", name, "flow").Spec.couples]
    return (
        f"{spec.method} cannot follow a network whose batch statistics couple its examples; "
        f"give the run `frozen: true`, or choose one of {', '.join(able)}"
    )


def level(ln_risk: float, per_decade: int) -> int:
    """Index of the last of the log-spaced levels ln(1/ℒ) = 10^(k/per_decade) that has been reached; ln ℒ may be −∞.

    There is none beyond ln(1/ℒ) = `HIGHEST`: it grows like e^(Lτ), so levels would be evenly spaced in τ for ever.
    """
    return math.floor(per_decade * math.log10(min(max(-ln_risk, 1e-9), HIGHEST)))


def risk_in_words(ln_risk: float, ln_margin: float = math.nan) -> str:
    """The risk on a line of progress: log10 ℒ, and below ℒ = 10^(−10⁶) ln ln(1/ℒ).

    ln_margin: ln ℓ⁻¹(ℒ), which is ln ln(1/ℒ) to rounding where ln ℒ overflows, for losses of an exponential tail.
    """
    decades = ln_risk / math.log(10)
    if not decades < -MOST_DECADES:
        return f"log10 L {decades:.2f}"
    return f"ln ln(1/L) {math.log(-ln_risk) if math.isfinite(ln_risk) else ln_margin:.2f}"


@dataclasses.dataclass(frozen=True)
class Event:
    """A step as the caller of `follow` sees it."""

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
    highest_level: int | None = None,
    per_decade: int = 8,
    earlier: Iterable[tuple[float, float]] = (),
) -> Iterator[Event]:
    """Follow the flow from `state` to the first goal in `stop`; the last event carries the reason.

    spec: a method's options. state: `State.at_start(weights)`, or the state of an earlier step to resume from.
    per_decade: snapshots for each power of ten of ln(1/ℒ). To resume, also give
    highest_level: of the snapshots taken so far; None at the start.
    earlier: (τ, cos) of the steps before `state`, which the goal `tail` reads.

    A flow that is none ends with a reason of its own (`dirconv.flow.soundness`): a step whose risk rises is left out,
    and the gradient is held against the margins at the start, after 1, 2, 4, … steps and at the end.

    UserError where batch statistics couple the map's examples and the method cannot follow that (`Spec.couples`), and
    where the gradient at the start is not the derivative of the margins.
    """
    from dirconv.flow import soundness

    # a map that says nothing of it has examples of their own
    if why := refusal(spec, getattr(margin_map, "coupled", False)):
        raise UserError(f"flow.method: {why}")
    method = plugin("flow.methods", spec.method, "flow")
    goals, last = Goals(stop, earlier), None
    try:
        goal = {"goal": stop.tau} if getattr(spec, "ends_at_goal", False) else {}
        for step in method.steps(margin_map, loss, spec, state, **goal):
            progress, reason = goals.check(step)
            finite, first, previous, last = reason is not StopReason.NOT_FINITE, last is None, last, step
            if finite and not first and soundness.rose(margin_map, loss, previous, step):
                yield Event(previous, True, highest_level, StopReason.RISK_ROSE, 1.0)
                return
            if finite and (first or reason is not None or soundness.is_due(step.state.step)):
                fault = soundness.gradient_fault(margin_map, loss, step.state.weights)
                if fault and first:
                    raise UserError(
                        f"gradient: it is not the derivative of the margins: {fault}; remove straight-through "
                        "estimators, `detach` and backward passes of your own"
                    )
                progress, reason = (1.0, StopReason.WRONG_GRADIENT) if fault else (progress, reason)
            before = highest_level
            if finite:
                now = level(step.ln_risk, per_decade)
                highest_level = now if before is None else max(before, now)
            snapshot = highest_level != before or step.landed or reason is not None
            yield Event(step, snapshot, highest_level, reason, progress)
            if reason is not None:
                return
    except Underflow:
        yield Event(last, True, highest_level, StopReason.STEP_UNDERFLOW, 1.0)
