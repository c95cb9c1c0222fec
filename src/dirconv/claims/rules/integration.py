r"""Is the path that was computed the flow's? The same run at half the tolerance must come to the same direction."""

from __future__ import annotations

import dataclasses

from dirconv.claims import Evidence, Outcome, Verdict, inconclusive
from dirconv.claims.rules import _common, _halving

TABLES = ("path", "sketch")
STATISTIC = "angle (rad) between the directions at a tolerance and at half of it, at the last τ that both reach"
THRESHOLD = "angle"
PAIRED = True  # only seeds that were followed at half the tolerance as well are judged


@dataclasses.dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Supported: the angle at most `angle`. Contradicted: above `far`. Neither before both have reached `tau`."""

    angle: float
    far: float
    tau: float

    __pydantic_config__ = {"extra": "forbid", "strict": True}


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    """One run and seed; the interval is the range of the angle over the τ at which both runs end a step."""
    unmet = _common.assumption(evidence)
    if unmet:
        return inconclusive(unmet)
    (pair,) = (pair for pair in evidence.halvings if pair[0].record == evidence.record)
    angles = _halving.angles(*pair)
    if len(angles) < 2:
        return inconclusive("the two runs share no τ at which a step ends")
    interval = (float(angles.iloc[-1]), float(angles.min()), float(angles.max()))
    reached = float(angles.index[-1])
    if reached < thresholds.tau:
        return inconclusive(f"compared up to τ = {reached:g} only; {thresholds.tau:g} is needed", *interval)
    reason = f"compared at {len(angles)} values of τ up to {reached:g}"
    if interval[0] <= thresholds.angle:
        return Outcome(Verdict.SUPPORTED, *interval, reason)
    if interval[0] > thresholds.far:
        return Outcome(Verdict.CONTRADICTED, *interval, reason)
    return inconclusive(f"{reason}: the direction still depends on the tolerance", *interval)
