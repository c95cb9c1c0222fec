"""Does training on, after every training example is classified, move test examples away from the decision boundary?"""

import math

from dirconv.claims import Evidence, Outcome, decided, inconclusive
from dirconv.claims.rules import Rule
from dirconv.options import configurable

NUMERICS = 1
RULE = Rule(
    tables=("generalization",),
    statistic="median L2 distance of test images to the decision boundary at the end, over that at ℒ = ℓ(0)",
    threshold="gain",
    symbol="Ratio",
    relation="at least",
    origin=1,  # the threshold is a gain, the statistic a ratio
    finds=(
        "late training moves test images away from the decision boundary",
        "late training moves test images towards the decision boundary",
    ),
    judged=(
        "Supported: the ratio is at least 1 + gain. Contradicted: it is at most 1 − gain. Neither before τ has grown "
        "by tau. Distances are those that an attack finds, so they bound the true ones from above."
    ),
    assumption=False,  # the probe has no path: its own column `below` says where ℒ < ℓ(0)
)


@configurable
class Thresholds:
    gain: float  # by which the ratio must differ from 1
    tau: float  # growth of ln‖W‖ before which nothing is decided


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    table = evidence.tables["generalization"]
    table = table[table["below"].cummax()]
    if len(table) < 2:
        return inconclusive("the assumption ℒ < ℓ(0) is not met: the run ended before it")
    first, last = table.iloc[0], table.iloc[-1]
    before, after = first["radius_attack_q50"], last["radius_attack_q50"]
    ratio = float(after / before)
    reason = (
        f"test error {first['test_error']:.1%} → {last['test_error']:.1%}, median distance {before:.3g} → {after:.3g}"
    )
    grown = float(last["tau"] - first["tau"])
    if grown < thresholds.tau:
        return inconclusive(f"ln‖W‖ grew by only {grown:.3g}, {thresholds.tau:g} is needed; {reason}", ratio)
    if not math.isfinite(ratio):
        return inconclusive(f"no distance is known; {reason}")
    return decided(ratio >= 1 + thresholds.gain, ratio <= 1 - thresholds.gain, reason, ratio)
