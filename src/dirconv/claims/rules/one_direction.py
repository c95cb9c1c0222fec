"""Do losses with an exponential tail lead one network from one start to one function?"""

import numpy as np

from dirconv.claims import Evidence, Outcome, decided, inconclusive
from dirconv.claims.rules import Rule, too_short
from dirconv.options import configurable

NUMERICS = 1
RULE = Rule(
    tables=("path", "losses"),
    statistic="largest angle at the end between the functions of two losses with exponential tails, rad",
    threshold="same",
    symbol="Largest angle",
    relation="at most",
    other="apart",
    finds=(
        "losses with an exponential tail lead to one function",
        "losses with an exponential tail lead to different functions",
    ),
    judged=(
        "Supported: every loss' function ends within same of the exponential loss'. Contradicted: one ends more than "
        "apart from it, and its angle changed by less than half over the second half of τ. Neither before every loss' "
        "τ has grown by tau."
    ),
)
REFERENCE, OTHER_TAIL = "exponential", "polynomial"


@configurable
class Thresholds:
    same: float  # rad, up to which they are the same
    apart: float  # rad, above which they are not
    tau: float  # growth of every loss' ln‖W‖ before which nothing is decided


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    """One run and seed. A loss with another tail is named in the reason, and not judged."""
    table = evidence.tables["losses"]
    ends, named, settled = {}, [], {}
    for loss, rows in table[table["loss"] != REFERENCE].groupby("loss", sort=False):
        rows = rows[rows["below"].cummax()]
        end = float(rows["tau"].iloc[-1]) if len(rows) else 0.0
        if end < thresholds.tau:
            return inconclusive(f"{loss}: {too_short(end, thresholds.tau)}")
        angle = float(rows["function_to_end"].iloc[-1])
        named.append(f"{loss} {angle:.2g}")
        if loss != OTHER_TAIL:
            ends[loss] = angle
            settled[loss] = angle > 0.5 * float(np.interp(end / 2, rows["tau"], rows["function_angle"]))
    worst = max(ends, key=ends.__getitem__)
    reason = "angles to the exponential loss' function, rad: " + ", ".join(named)
    apart = any(ends[loss] > thresholds.apart and settled[loss] for loss in ends)
    return decided(ends[worst] <= thresholds.same, apart, reason, ends[worst])
