"""Are the rates of ã and ζ the sums of their radial and spherical parts, wherever margins are resolved?"""

from __future__ import annotations

import dataclasses

from dirconv.claims import Evidence, Outcome, Verdict, inconclusive
from dirconv.claims.rules import _common

TABLES = ("path", "decomposition")
STATISTIC = "largest relative difference between dã/dt, dζ/dt and the sums of their radial and spherical parts"
THRESHOLD = "difference"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Supported: no side differs from the other by more than `difference`. Contradicted: one does, by over `broken`.

    Points at which ln q is not known to `resolution` are not judged.
    """

    difference: float
    broken: float
    resolution: float

    __pydantic_config__ = {"extra": "forbid", "strict": True}


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    """One run and seed."""
    unmet = _common.assumption(evidence)
    if unmet:
        return inconclusive(unmet)
    if evidence.record["specification"]["degree"] is None:
        return inconclusive("the network has no degree: the identities are those of homogeneous networks")
    table = evidence.tables["decomposition"]
    judged = table[table["resolution"] <= thresholds.resolution]
    if judged.empty:
        return inconclusive(f"margins are nowhere resolved to {thresholds.resolution:g}")
    if judged["difference"].isna().any():
        return inconclusive("a rate is no number")
    worst = judged.loc[judged["difference"].idxmax()]
    value = float(worst["difference"])
    reason = f"{worst['quantity']} at τ = {worst['tau']:.3g}, of {judged['snapshot'].nunique()} points"
    reason += f" (margins are resolved at those, of {table['snapshot'].nunique()})"
    if value <= thresholds.difference:
        return Outcome(Verdict.SUPPORTED, value, reason=reason)
    if value > thresholds.broken:
        return Outcome(Verdict.CONTRADICTED, value, reason=reason)
    return inconclusive(reason, value)
