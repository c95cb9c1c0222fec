"""Do the layers of a deep linear network become of rank one, and do neighbours come to share a singular vector?"""

from __future__ import annotations

import dataclasses

from dirconv.claims import Evidence, Outcome, Verdict, inconclusive
from dirconv.claims._rate import rate
from dirconv.claims.rules import _common

TABLES = ("path", "factors")
STATISTIC = "largest σ₂/σ₁ of any layer at the end"
THRESHOLD = "ratio"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Supported: at the end σ₂/σ₁ of every layer at most `ratio`, and the angle between neighbours' singular vectors at
    most `neighbour` (rad). Contradicted: either is above, and the larger of the two, relative to its threshold, has
    stopped falling: by less than `rate` per unit of τ, in its logarithm.
    """

    ratio: float
    neighbour: float
    rate: float

    __pydantic_config__ = {"extra": "forbid", "strict": True}


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    """One run and seed."""
    unmet = _common.assumption(evidence)
    if unmet:
        return inconclusive(unmet)
    worst = evidence.tables["factors"].groupby("snapshot")[["tau", "ratio", "neighbour"]].max()
    ratio, neighbour = float(worst["ratio"].iloc[-1]), float(worst["neighbour"].iloc[-1])
    share = (worst["ratio"] / thresholds.ratio).combine(worst["neighbour"] / thresholds.neighbour, max)
    found = rate(worst["tau"].to_numpy(), share.to_numpy())
    if found is None:
        return inconclusive("too few points for a rate", ratio)
    reason = f"neighbours {neighbour:.2g} rad apart; both fall like e^(−κτ), κ = {found[0]:.2f}"
    if ratio <= thresholds.ratio and neighbour <= thresholds.neighbour:
        return Outcome(Verdict.SUPPORTED, ratio, reason=reason)
    if found[2] < thresholds.rate:
        return Outcome(Verdict.CONTRADICTED, ratio, reason=reason)
    return inconclusive(reason, ratio)
