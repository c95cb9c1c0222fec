"""Is f(cW) = c^L f(W) for the degree L that is declared?"""

from __future__ import annotations

import dataclasses

from dirconv.claims import Evidence, Outcome, Verdict, inconclusive

TABLES = ("homogeneity",)
STATISTIC = "largest relative deviation of f(cW) from c^L f(W)"
THRESHOLD = "supported"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Supported: deviation at most `supported`. Contradicted: above `contradicted`."""

    supported: float
    contradicted: float

    __pydantic_config__ = {"extra": "forbid", "strict": True}


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    """One run."""
    if evidence.record["specification"]["degree"] is None:
        return inconclusive("no degree is declared")
    table = evidence.tables["homogeneity"]
    if table["deviation"].isna().any():
        return inconclusive("the deviation is no number")
    worst = table.loc[table["deviation"].idxmax()]
    deviation, where = float(worst["deviation"]), f"at c = {worst['scale']:g}"
    if deviation <= thresholds.supported:
        return Outcome(Verdict.SUPPORTED, deviation, reason=where)
    if deviation > thresholds.contradicted:
        return Outcome(Verdict.CONTRADICTED, deviation, reason=where)
    return inconclusive(where, deviation)
