"""Does −∇ℒ align with W? cos ∠(W, −∇ℒ) → 1, i.e. tan ∠ keeps decaying, and is small at the end."""

from __future__ import annotations

import dataclasses

from dirconv.claims import Evidence, Outcome, Verdict, inconclusive
from dirconv.claims.rules import _common
from dirconv.claims.statistics import tail

TABLES = ("path",)
STATISTIC = "median cos ∠(W, −∇ℒ) over the last tenth of τ"
THRESHOLD = "cos"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Supported: the least cos over the last tenth of τ at least `cos`, and the decay exponent's interval above 0.

    Contradicted: the median cos below `cos` and the exponent's interval below `decay`: tan ∠ has stopped decaying.
    Neither before τ has grown by `tau`.
    """

    cos: float
    decay: float
    tau: float
    decades: float

    __pydantic_config__ = {"extra": "forbid", "strict": True}


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    """One run and seed. The interval is the range of cos over the last tenth of τ."""
    unmet = _common.assumption(evidence)
    if unmet:
        return inconclusive(unmet)
    path = _common.from_assumption(evidence)
    end = path["tau"].iloc[-1]
    late = path.loc[path["tau"] >= 0.9 * end, "cos"]
    interval = (float(late.median()), float(late.min()), float(late.max()))
    short = _common.too_short(end, thresholds.tau)
    if short:
        return inconclusive(short, *interval)
    found = tail(path["tau"].to_numpy(), path["zeta"].to_numpy(), thresholds.decades)
    if found is None:
        return inconclusive("too few steps for a decay exponent", *interval)
    decay = f"tan ∠ decays like τ^(−{found.exponent:.2f}) [{found.low:.2f}, {found.high:.2f}]"
    if interval[1] >= thresholds.cos and found.low > 0:
        return Outcome(Verdict.SUPPORTED, *interval, decay)
    if interval[0] < thresholds.cos and found.high < thresholds.decay:
        return Outcome(Verdict.CONTRADICTED, *interval, decay)
    return inconclusive(decay, *interval)
