"""Is the direction at ℒ = ℓ(0) already close to where it ends?"""

from dirconv.claims import Evidence, Outcome, decided
from dirconv.claims.rules import Rule, too_short
from dirconv.options import configurable

NUMERICS = 1
RULE = Rule(
    tables=("path", "limit"),
    statistic="angle between the direction at ℒ = ℓ(0) and at the end, rad",
    threshold="near",
    symbol="Angle",
    relation="at most",
    other="far",
    finds=("the direction at ℒ = ℓ(0) is close to its limit", "the direction at ℒ = ℓ(0) is far from its limit"),
    judged="Supported: it is at most near rad. Contradicted: it is at least far. Neither before τ has grown by tau.",
)


@configurable
class Thresholds:
    near: float  # rad
    far: float  # rad
    tau: float  # growth of ln‖W‖ before which nothing is decided


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    limit = evidence.tables["limit"]
    turned = float(limit["to_start"].iloc[-1])
    short = too_short(float(limit["tau"].iloc[-1]), thresholds.tau)
    share = limit["margin"].iloc[0] / limit["margin"].iloc[-1]
    reason = f"the normalized margin at ℒ = ℓ(0) is {share:.2g} of that at the end"
    return decided(turned <= thresholds.near, turned >= thresholds.far, reason, turned, unless=short)
