"""Does gradient descent come to the flow's direction at equal τ as its steps shrink, and at which order?"""

import numpy as np

from dirconv.claims import Evidence, Outcome, decided, inconclusive
from dirconv.claims.fits import line
from dirconv.claims.rules import Rule
from dirconv.options import configurable

NUMERICS = 1
GOES_THROUGH = ("fits",)
RULE = Rule(
    tables=("path", "descents"),
    statistic="order p of the distance to the flow at equal τ, ∝ η^p",
    threshold="least",
    symbol="Order",
    relation="between",
    other="most",
    finds=(
        "gradient descent comes to the flow's direction at first order",
        "gradient descent does not come to the flow's direction at first order",
    ),
    judged=(
        "The order is fitted over the step sizes of gradient descent on ln ℒ with fraction η λ/2 at most stable, at "
        "the largest τ that is at most tau and that all of them have passed. Distances below resolution, the error of "
        "the flow itself, do not count. Supported: the order's interval lies within least and most. Contradicted: it "
        "lies wholly outside."
    ),
)
METHOD = "ln_gd"


@configurable
class Thresholds:
    least: float
    most: float
    stable: float  # η λ/2, λ the largest curvature
    tau: float  # at which descents and flow are compared, at most
    resolution: float  # rad, the error of the flow itself


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    table = evidence.tables["descents"]
    table = table[(table["method"] == METHOD) & (table["fraction"] <= thresholds.stable) & ~table["last"]]
    table = table[table["tau"] <= thresholds.tau + 1e-9]
    sizes = table["fraction"].nunique()
    passed = table.groupby("tau")["fraction"].nunique()
    common = passed.index[passed == sizes]
    if sizes < 3 or not len(common):
        return inconclusive("fewer than three step sizes have come to one τ")
    last = common.max()
    at = table[table["tau"] == last]
    at = at[at["angle"] > thresholds.resolution]
    if len(at) < 3:
        return inconclusive(f"at τ = {last:g} fewer than three step sizes are further from the flow than its own error")
    fit = line(np.log(at["step_size"].to_numpy()), np.log(at["angle"].to_numpy()))
    closest, furthest = at["angle"].min(), at["angle"].max()
    reason = f"at τ = {last:g} the distance falls from {furthest:.2g} to {closest:.2g} rad"
    inside = thresholds.least <= fit.low and fit.high <= thresholds.most
    outside = fit.high < thresholds.least or fit.low > thresholds.most
    return decided(inside, outside, reason, *fit)
