"""Does the set of examples that have multipliers settle? It is what ends a ridge that it changes (docs/verdicts.md).

Read off the probe `kkt`. Two sets are compared by weight: what share of the multipliers, of either snapshot, lies on
examples that have none at the other. So examples with hardly any multiplier, which come and go, do not count.
"""

import numpy as np

from dirconv.claims import Evidence, Outcome, decided, inconclusive
from dirconv.claims.rules import Rule, too_short
from dirconv.claims.rules.kkt import certified
from dirconv.options import configurable

NUMERICS = 1
GOES_THROUGH = ("rule.kkt",)
RULE = Rule(
    tables=("kkt",),
    statistic="largest share of multipliers on examples that have none at the end, or the other way, late in τ",
    threshold="settled",
    symbol="Share",
    relation="at most",
    other="changing",
    finds=("the set of examples with multipliers settles", "the set of examples with multipliers goes on changing"),
    judged=(
        "Compared with the last snapshot, over the last decades of τ. Supported, once τ has grown by tau: the share is "
        "at most settled at every snapshot. Contradicted, once τ has grown by slow_tau: over the last decades the "
        "share reaches changing, and no less than over as many decades before, each compared with its last snapshot."
    ),
    assumption=False,
    degree=True,
)
FEWEST_SNAPSHOTS = 3


@configurable
class Thresholds:
    settled: float  # share of the multipliers' sum
    changing: float  # the same
    tau: float  # growth of ln‖W‖ before which nothing is supported
    decades: float  # of τ over which nothing may change: as long as a ridge
    slow_tau: float  # growth of ln‖W‖ before which nothing is contradicted


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    """One run and seed."""
    table = certified(evidence)
    end = float(table["tau"].max()) if len(table) else 0.0
    turn = end * 10**-thresholds.decades
    before, late = table[table["tau"] <= turn], table[table["tau"] >= turn]
    if len(late) < FEWEST_SNAPSHOTS:
        return inconclusive("too few snapshots with multipliers")
    changed = _changed(late)
    if short := too_short(end, thresholds.tau):
        return inconclusive(short, changed)
    before = before[before["tau"] >= turn * 10**-thresholds.decades]
    earlier = _changed(before) if len(before) >= FEWEST_SNAPSHOTS else np.inf
    goes_on = end >= thresholds.slow_tau and changed >= max(thresholds.changing, earlier)
    reason = f"from τ = {late['tau'].iloc[0]:.3g} to {end:.3g}; {late['support'].iloc[-1]} examples have multipliers"
    return decided(changed <= thresholds.settled, goes_on, reason, changed)


def _changed(table) -> float:
    """The largest share by which a snapshot's multipliers and the last one's are on different examples."""
    rows = [dict(zip(*row, strict=True)) for row in zip(table["examples"], table["multipliers"], strict=True)]
    return max(max(_apart(row, rows[-1]), _apart(rows[-1], row)) for row in rows[:-1])


def _apart(first: dict[int, float], second: dict[int, float]) -> float:
    """The share of the first's multipliers on examples that have none in the second."""
    total = sum(first.values())
    return sum(value for example, value in first.items() if example not in second) / total if total > 0 else 0.0
