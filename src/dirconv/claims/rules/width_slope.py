"""Do wider networks reach ℒ < ℓ(0) sooner? Judged over all widths together, seed by seed."""

from __future__ import annotations

import dataclasses

import numpy as np

from dirconv.claims import Evidence, Outcome, Verdict, inconclusive
from dirconv.claims._line import line

TABLES = ("start", "limit")
STATISTIC = "slope of ln(flow time to ℒ < ℓ(0)) against ln(width)"
THRESHOLD = "slope"
ACROSS = True  # judges all runs of one seed at once


@dataclasses.dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Supported: the slope's interval lies below `slope`. Contradicted: it lies above. A width that never arrives makes
    the claim no better than undecided.
    """

    slope: float

    __pydantic_config__ = {"extra": "forbid", "strict": True}


def judge_across(runs: list[Evidence], thresholds: Thresholds) -> Outcome:
    """All widths of one seed."""
    found, never = [], []
    for run in runs:
        start, limit = run.tables["start"].iloc[-1], run.tables["limit"].iloc[-1]
        width = run.record["specification"]["problem"]["width"]
        if start["below"]:
            found.append((width, float(start["time"]), float(limit["margin"])))
        else:
            never.append(width)
    if len(found) < 3:
        return inconclusive("fewer than three widths have reached ℒ < ℓ(0)")
    width, time, margin = (np.array(part, dtype=float) for part in zip(*sorted(found), strict=True))
    fitted = line(np.log(width), np.log(time))
    interval = (fitted.slope, fitted.low, fitted.high)
    reason = f"margin at the end {margin[0]:.2g} at width {width[0]:g}, {margin[-1]:.2g} at {width[-1]:g}"
    if never:
        return inconclusive(f"width {', '.join(f'{w:g}' for w in sorted(never))} never arrives; {reason}", *interval)
    if fitted.high < thresholds.slope:
        return Outcome(Verdict.SUPPORTED, *interval, reason)
    if fitted.low > thresholds.slope:
        return Outcome(Verdict.CONTRADICTED, *interval, reason)
    return inconclusive(reason, *interval)
