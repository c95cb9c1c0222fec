"""Does −∇ℒ align with W? cos → 1: tan ∠ is small at the end, and still falling.

Judged on the flow's velocity: a ReLU network slides along kinks, where the gradient at a point is one of many.
"""

import math

from dirconv.claims import Evidence, Outcome, decided, halving, inconclusive
from dirconv.claims.rules import Rule, too_short
from dirconv.claims.statistics import decay
from dirconv.options import configurable

NUMERICS = 1
GOES_THROUGH = ("halving", "tail_statistics")
RULE = Rule(
    tables=("path",),
    statistic="median cos of W with the flow's velocity over the last tenth of τ",
    threshold="cos",
    judged=(
        "Supported: the least cos over the last tenth of τ is at least cos, and tan ∠ is still falling there: the "
        "interval of its slope −d ln tan/d ln τ, from the secants of ζ, is above decay. Contradicted: the slope's "
        "interval is below decay, the interval of P over the last decades of τ (see the rule about the direction) is "
        "below 1, and the median cos is below stalled: tan ∠ has stopped falling. Neither before τ has grown by tau. "
        "On a network that is not smooth, neither unless halving the tolerance moves the velocity's cos by at most "
        "halving over the second half of τ: the angle may otherwise be the integrator's."
    ),
)


@configurable
class Thresholds:
    cos: float  # least cos at the end
    stalled: float  # median cos below which a tan ∠ that has stopped falling contradicts
    decay: float  # slope −d ln tan/d ln τ above which tan ∠ is falling
    tau: float  # growth of ln‖W‖ before which nothing is decided
    decades: float  # of τ over which P is fitted
    halving: float = math.inf  # change of cos at half the tolerance; not asked for: explicit methods have one velocity


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    """One run and seed. The interval is the range of cos over the last tenth of τ."""
    path = evidence.tables["path"]
    end = path["tau"].iloc[-1]
    late = path.loc[path["tau"] >= min(0.9 * end, end), "cos"]
    interval = (float(late.median()), float(late.min()), float(late.max()))
    if short := too_short(end, thresholds.tau):
        return inconclusive(short, *interval)
    moved = halving.largest_change_of_cos(evidence.pairs)
    if moved is None and math.isfinite(thresholds.halving):
        return inconclusive("no run at half the tolerance to compare the velocity with", *interval)
    if moved is not None and moved > thresholds.halving:
        return inconclusive(f"halving the tolerance moves the velocity's cos by up to {moved:.2g}", *interval)
    fit = decay(path["tau"].to_numpy(), path["zeta"].to_numpy(), thresholds.decades)
    if fit is None:
        return inconclusive("too few steps for a decay exponent", *interval)
    aligned = interval[1] >= thresholds.cos and fit.slope_low > thresholds.decay
    stalled = interval[0] < thresholds.stalled and max(fit.slope_high - thresholds.decay, fit.high - 1) < 0
    reason = f"at the end tan ∠ falls like τ^(−p), p in [{fit.slope_low:.2f}, {fit.slope_high:.2f}]"
    return decided(aligned, stalled, reason, *interval)
