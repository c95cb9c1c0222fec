"""Does a network reach the global maximum margin, known by a convex problem?"""

import numpy as np

from dirconv.claims import Evidence, Outcome, decided
from dirconv.claims.rules import Rule, uncertified
from dirconv.options import configurable

NUMERICS = 1
RULE = Rule(
    tables=("path", "limit"),
    statistic="normalized margin at the end over the certified bound of the best",
    threshold="ratio",
    symbol="Ratio",
    relation="at least",
    finds=("the margin reaches the global maximum", "the margin stays below the global maximum"),
    judged=(
        "Supported: at the end it is at least ratio. Contradicted: it is below, and would still be if it gained again "
        "ahead times what it gained over the second half of ln‖W‖'s growth. The bound has to be certified to a "
        "relative duality gap of at most gap."
    ),
)


@configurable
class Thresholds:
    ratio: float  # from which on the maximum is reached
    ahead: float  # factor on the last gain
    gap: float  # relative duality gap of the bound


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    limit = evidence.tables["limit"]
    tau, ratio = limit["tau"].to_numpy(), limit["ratio"].to_numpy()
    end = float(ratio[-1])
    gained = float(end - np.interp(0.5 * tau[-1], tau, ratio))
    reason = f"gained {gained:.2g} over the second half of τ"
    below = end + thresholds.ahead * gained < thresholds.ratio
    return decided(end >= thresholds.ratio, below, reason, end, unless=uncertified(evidence, thresholds.gap))
