r"""Is the path's length controlled by a power of what the smoothed margin has left to rise? ζ_∞ − ζ ∝ (a − ã)^κ."""

from __future__ import annotations

import dataclasses

from dirconv.claims import Evidence, Outcome, Verdict, inconclusive
from dirconv.claims._desingularize import KAPPA, exponent
from dirconv.claims.rules import _common

TABLES = ("path",)
STATISTIC = "exponent κ of Ψ(u) = u^κ in dζ = −c dΨ(a − ã)"
THRESHOLD = "exponent"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Supported: the 95 % interval of κ, fitted over the last 1 − `since` of ln‖W‖'s growth, is above `exponent`.
    Contradicted: it is below: the way that is left is infinite, or cannot be told from that. Neither before τ has grown
    by `tau`.
    """

    exponent: float
    since: float  # share of τ that is passed over
    tau: float

    __pydantic_config__ = {"extra": "forbid", "strict": True}


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    """One run and seed."""
    unmet = _common.assumption(evidence)
    if unmet:
        return inconclusive(unmet)
    if evidence.record["specification"]["degree"] is None:
        return inconclusive("the network has no degree, so no smoothed margin")
    path = _common.from_assumption(evidence)
    tau, zeta, margin = (path[column].to_numpy() for column in ("tau", "zeta", "smoothed_margin"))
    found = exponent(tau, zeta, margin, thresholds.since * tau[-1])
    if found is None:
        return inconclusive("too few steps over which the smoothed margin rises by more than rounding")
    interval = (found.kappa, found.low, found.high)
    short = _common.too_short(tau[-1], thresholds.tau)
    if short:
        return inconclusive(short, *interval)
    if found.low > thresholds.exponent:
        return Outcome(Verdict.SUPPORTED, *interval, f"{found.secants} secants")
    if KAPPA[0] <= found.low and found.high < thresholds.exponent:
        return Outcome(Verdict.CONTRADICTED, *interval, "the length grows at least like ln 1/(a − ã)")
    if found.low < KAPPA[0] or found.high > KAPPA[-1]:
        return inconclusive("the limit of the smoothed margin cannot be told from the run", *interval)
    return inconclusive("the interval decides nothing yet", *interval)
