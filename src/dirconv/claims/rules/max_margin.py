"""Does a linear predictor's direction go to that of maximum margin, known exactly?"""

from __future__ import annotations

import dataclasses

from dirconv.claims import Evidence, Outcome, Verdict, inconclusive
from dirconv.claims._rate import rate
from dirconv.claims.rules import _common

TABLES = ("path", "limit")
STATISTIC = "angle to the maximum-margin direction at the end, rad"
THRESHOLD = "angle"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Supported: the angle at the end at most `angle`. Contradicted: above, and it has stopped falling: over the second
    half of τ, ln(angle) falls by less than `rate` per unit of τ, the upper end of its 95 % interval. The optimum has to
    be certified to a relative duality gap of at most `gap`.
    """

    angle: float
    rate: float
    gap: float

    __pydantic_config__ = {"extra": "forbid", "strict": True}


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    """One run and seed."""
    unmet = _common.assumption(evidence)
    if unmet:
        return inconclusive(unmet)
    limit = evidence.tables["limit"]
    end = float(limit["angle"].iloc[-1])
    unknown = _common.uncertified(limit, thresholds.gap)
    if unknown:
        return inconclusive(unknown, end)
    found = rate(limit["tau"].to_numpy(), limit["angle"].to_numpy())
    if found is None:
        return inconclusive("too few points for a rate", end)
    value, low, high = found
    reason = f"the angle falls like e^(−κτ), κ = {value:.2f} [{low:.2f}, {high:.2f}]"
    if end <= thresholds.angle:
        return Outcome(Verdict.SUPPORTED, end, reason=reason)
    if high < thresholds.rate:
        return Outcome(Verdict.CONTRADICTED, end, reason=reason)
    return inconclusive(reason, end)
