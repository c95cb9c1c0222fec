"""After every example is classified, does the prediction surface go on changing, and away from the kernel's?

A surface is a function on a grid, compared by its direction: the angle between two such vectors, in radians.
"""

from dirconv.claims import Evidence, Outcome, decided, failing
from dirconv.claims.rules import Rule, too_short
from dirconv.options import configurable

NUMERICS = 1
RULE = Rule(
    tables=("path", "surfaces"),
    statistic="angle between the surface at ℒ = ℓ(0) and at the end, rad",
    threshold="turned",
    symbol="Angle",
    relation="at least",
    other="same",
    finds=(
        "the prediction surface goes on changing after ℒ = ℓ(0), and away from the kernel's",
        "the prediction surface stays what it was, or the kernel's",
    ),
    judged=(
        "Supported: the surface has turned by at least turned since ℒ < ℓ(0) was reached, and at the end it is at "
        "least far from the maximum-margin predictor of the neural tangent kernel. Contradicted: either is below same. "
        "Neither before τ has grown by tau."
    ),
)


@configurable
class Thresholds:
    turned: float  # rad, from the start
    far: float  # rad, from the kernel's predictor
    same: float  # rad, below which two surfaces are the same
    tau: float  # growth of ln‖W‖ before which nothing is decided


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    end = evidence.tables["surfaces"].iloc[-1]
    turned, far = float(end["to_start"]), float(end["to_kernel"])
    needed = {
        f"turned by at least {thresholds.turned:g} rad": turned >= thresholds.turned,
        f"at least {thresholds.far:g} rad from the kernel's predictor": far >= thresholds.far,
    }
    reason = f"{far:.2g} rad from the kernel's predictor at the end"
    short = too_short(float(end["tau"]), thresholds.tau)
    same = min(turned, far) < thresholds.same
    return decided(all(needed.values()), same, reason, turned, unless=short, unmet=failing(needed))
