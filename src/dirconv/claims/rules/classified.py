"""Does the flow from initialization reach ℒ < ℓ(0), where the theorems begin?"""

from __future__ import annotations

import dataclasses

from dirconv.claims import Evidence, Outcome, Verdict

TABLES = ("start",)
STATISTIC = "steps of the descent to ℒ < ℓ(0), or those after which it was given up"
THRESHOLD = "steps"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Supported: reached within `steps`. Contradicted: not reached at all."""

    steps: float

    __pydantic_config__ = {"extra": "forbid", "strict": True}


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    """One run and seed."""
    start = evidence.tables["start"]
    first, last = start.iloc[0], start.iloc[-1]
    steps = float(last["step"])
    if not last["below"]:
        reason = f"ℒ is still {last['ln_risk']:.3g} in ln, {last['train_error']:.1%} of the training images are wrong"
        return Outcome(Verdict.CONTRADICTED, steps, reason=reason)
    reason = (
        f"after flow time {last['time']:.3g} of the mean loss; till then the smoothed margin went from "
        f"{first['smoothed_margin']:.2g} to {last['smoothed_margin']:.2g}"
    )
    verdict = Verdict.SUPPORTED if steps <= thresholds.steps else Verdict.INCONCLUSIVE
    return Outcome(verdict, steps, reason=reason)
