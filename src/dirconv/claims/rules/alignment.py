"""Does −∇ℒ align with W? cos → 1, i.e. tan ∠ keeps decaying, and is small at the end.

Judged on the flow's velocity: a ReLU network slides along kinks, where the gradient at a point is one of many.
"""

from __future__ import annotations

import dataclasses
import math

from dirconv.claims import Evidence, Outcome, Verdict, inconclusive
from dirconv.claims.rules import _common, _halving
from dirconv.claims.statistics import decay

TABLES = ("path",)
STATISTIC = "median cos of W with the flow's velocity over the last tenth of τ"
THRESHOLD = "cos"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Supported: the least cos over the last tenth of τ at least `cos`, and tan ∠ still falling there: the interval of
    its slope −d ln tan/d ln τ, from the secants of ζ, above `decay`.

    Contradicted: the slope's interval below `decay`, the interval of P (see the rule about the direction) below 1, and
    the median cos below `stalled`: tan ∠ has stopped falling.
    Neither before τ has grown by `tau`, and on a network that is not smooth not before halving the tolerance is seen to
    move the velocity's cos by at most `halving` over the second half of τ: else it may be the integrator's.
    """

    cos: float
    stalled: float
    decay: float
    tau: float
    decades: float
    halving: float = math.inf  # not asked for by default: explicit methods have one velocity, the gradient

    __pydantic_config__ = {"extra": "forbid", "strict": True}


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    """One run and seed. The interval is the range of cos over the last tenth of τ."""
    unmet = _common.assumption(evidence)
    if unmet:
        return inconclusive(unmet)
    path = _common.from_assumption(evidence)
    end = path["tau"].iloc[-1]
    late = path.loc[path["tau"] >= min(0.9 * end, end), "cos"]
    interval = (float(late.median()), float(late.min()), float(late.max()))
    short = _common.too_short(end, thresholds.tau)
    if short:
        return inconclusive(short, *interval)
    moved = _halving.alignments(evidence)
    if moved is None and math.isfinite(thresholds.halving):
        return inconclusive("no run at half the tolerance to compare the velocity with", *interval)
    if moved is not None and moved > thresholds.halving:
        return inconclusive(f"halving the tolerance moves the velocity's cos by up to {moved:.2g}", *interval)
    found = decay(path["tau"].to_numpy(), path["zeta"].to_numpy(), thresholds.decades)
    if found is None:
        return inconclusive("too few steps for a decay exponent", *interval)
    falling = f"at the end tan ∠ falls like τ^(−p), p in [{found.slope_low:.2f}, {found.slope_high:.2f}]"
    if interval[1] >= thresholds.cos and found.slope_low > thresholds.decay:
        return Outcome(Verdict.SUPPORTED, *interval, falling)
    if interval[0] < thresholds.stalled and max(found.slope_high - thresholds.decay, found.high - 1) < 0:
        return Outcome(Verdict.CONTRADICTED, *interval, falling)
    return inconclusive(falling, *interval)
