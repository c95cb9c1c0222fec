"""Does a linear predictor's direction go to that of maximum margin, known exactly?"""

from dirconv.claims import Evidence, Outcome, decided, inconclusive
from dirconv.claims.fits import rate
from dirconv.claims.rules import Rule, uncertified
from dirconv.options import configurable

NUMERICS = 2
GOES_THROUGH = ("fits",)
RULE = Rule(
    tables=("path", "limit"),
    statistic="angle to the maximum-margin direction at the end, rad",
    threshold="angle",
    symbol="Angle",
    relation="at most",
    finds=(
        "the direction goes to that of maximum margin",
        "the direction goes elsewhere than to that of maximum margin",
    ),
    judged=(
        "Supported: the angle at the end is at most angle. Contradicted: it is above, and has stopped falling: over "
        "the second half of τ, ln(angle) falls by less than rate per unit of τ, at the upper end of its 95 % interval. "
        "The optimum has to be certified to a relative duality gap of at most gap."
    ),
)


@configurable
class Thresholds:
    angle: float  # rad, at the end
    rate: float  # per unit of τ, below which ln(angle) has stopped falling
    gap: float  # relative duality gap of the optimum


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    limit = evidence.tables["limit"]
    end = float(limit["angle"].iloc[-1])
    if unknown := uncertified(evidence, thresholds.gap):
        return inconclusive(unknown, end)
    fall = rate(limit["tau"].to_numpy(), limit["angle"].to_numpy())
    if fall is None:  # it may have come to rounding within a few points
        return decided(end <= thresholds.angle, False, "too few points for a rate", end)
    reason = f"the angle falls like e^(−κτ), κ = {fall.kappa:.2f} [{fall.low:.2f}, {fall.high:.2f}]"
    return decided(end <= thresholds.angle, fall.high < thresholds.rate, reason, end)
