"""Whether a step reaches a goal of `dirconv.goals.Stop`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from dirconv.goals import Stop, StopReason

if TYPE_CHECKING:
    from dirconv.flow import Step

NUMERICS = 1
REACHED = 1.0 - 1e-12  # share of a goal that counts as all of it
LEAST_SAMPLES = 4  # steps in each half of the record from which the decay of tan ∠ is read


class Goals:
    """All goals of one run, checked step by step.

    earlier: (τ, cos) of the steps before the first one that is checked, for a run that is resumed.
    """

    def __init__(self, stop: Stop, earlier: Iterable[tuple[float, float]] = ()) -> None:
        self._stop, self._tail, self._last = stop, _Tail(stop.tail, earlier), None

    def check(self, step: Step) -> tuple[float, StopReason | None]:
        """The share of the way to the nearest goal, from 0 to 1, and the reason to stop at this step, if there is one.

        Before the goals come numbers that are not finite; ln ℒ may be −∞, where ln(1/ℒ) overflows. A step that is shown
        again does not count for the tail.
        """
        shown_again, self._last = step.state.step == self._last, step.state.step
        if not (step.ln_risk < math.inf and math.isfinite(step.norm) and math.isfinite(step.cos)):
            return 1.0, StopReason.NOT_FINITE
        goal = self._stop.log_inverse_risk
        shares = {
            StopReason.TAU: step.tau / self._stop.tau,
            StopReason.RISK: max(-step.ln_risk, 0.0) / goal if math.isfinite(goal) else 0.0,
            StopReason.STEPS: step.state.step / self._stop.steps,
            StopReason.ALIGNMENT: max(step.cos, 0.0) / self._stop.cos,
        }
        nearest = max(shares, key=lambda reason: shares[reason])
        if shares[nearest] >= REACHED:
            return min(shares[nearest], 1.0), nearest
        if not shown_again and self._tail.reached(step.tau, step.cos):
            return 1.0, StopReason.TAIL
        return max(shares[nearest], 0.0), None


class _Tail:
    r"""The path that would remain, ∫ tan ∠ dτ from here to infinity, if tan ∠ went on decaying as τ^(−P).

    P is read off the mean of tan ∠ over (τ/4, τ/2] and over (τ/2, τ]. For P > 1 the rest is tan ∠ · τ/(P − 1); for
    P ≤ 1 it is not finite. It only decides where a flow stops; verdicts use statistics of their own.
    """

    def __init__(self, goal: float, earlier: Iterable[tuple[float, float]]) -> None:
        self._goal, self._samples = goal, []
        for tau, cos in earlier:
            self.reached(tau, cos)

    def reached(self, tau: float, cos: float) -> bool:
        """Whether the rest is at most the goal at τ. Every step is to be given once, in order."""
        if self._goal == 0 or not cos > 0:
            return False
        self._samples.append((tau, math.sqrt(max(1 - cos**2, 0.0)) / cos))
        early = [tan for t, tan in self._samples if tau / 4 < t <= tau / 2]
        late = [tan for t, tan in self._samples if tau / 2 < t]
        if min(len(early), len(late)) < LEAST_SAMPLES or min(early[0], late[-1]) <= 0:
            return False
        mean_early, mean_late = sum(early) / len(early), sum(late) / len(late)
        exponent = math.log(mean_early / mean_late) / math.log(2)
        return exponent > 1 and late[-1] * tau / (exponent - 1) <= self._goal
