"""Does gradient descent come to the flow's direction at equal τ as its steps shrink, and at which order?"""

from __future__ import annotations

import dataclasses

import numpy as np

from dirconv.claims import Evidence, Outcome, Verdict, inconclusive
from dirconv.claims._line import line
from dirconv.claims.rules import _common

TABLES = ("path", "descents")
STATISTIC = "order p of the distance to the flow at equal τ, ∝ η^p"
THRESHOLD = "least"
METHOD = "ln_gd"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Thresholds:
    """The order is fitted over the step sizes of gradient descent on ln ℒ with `fraction` η λ/2 at most `stable`, at
    the largest τ that is at most `tau` and that all of them have passed; distances below `resolution`, the error of the
    flow itself, do not count.

    Supported: the order's interval lies within `least` and `most`. Contradicted: it lies wholly outside.
    """

    least: float
    most: float
    stable: float
    tau: float
    resolution: float

    __pydantic_config__ = {"extra": "forbid", "strict": True}


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    """One run and seed."""
    unmet = _common.assumption(evidence)
    if unmet:
        return inconclusive(unmet)
    table = evidence.tables["descents"]
    table = table[(table["method"] == METHOD) & (table["fraction"] <= thresholds.stable) & ~table["last"]]
    table = table[table["tau"] <= thresholds.tau + 1e-9]
    sizes = table["fraction"].nunique()
    passed = table.groupby("tau")["fraction"].nunique()
    common = passed.index[passed == sizes]
    if sizes < 3 or not len(common):
        return inconclusive("fewer than three step sizes have come to one τ")
    at = table[table["tau"] == common.max()]
    at = at[at["angle"] > thresholds.resolution]
    if len(at) < 3:
        return inconclusive(
            f"at τ = {common.max():g} fewer than three step sizes are further from the flow than its own error"
        )
    found = line(np.log(at["step_size"].to_numpy()), np.log(at["angle"].to_numpy()))
    interval = (found.slope, found.low, found.high)
    closest, furthest = at["angle"].min(), at["angle"].max()
    reason = f"at τ = {common.max():g} the distance falls from {furthest:.2g} to {closest:.2g} rad"
    if thresholds.least <= found.low and found.high <= thresholds.most:
        return Outcome(Verdict.SUPPORTED, *interval, reason)
    if found.high < thresholds.least or found.low > thresholds.most:
        return Outcome(Verdict.CONTRADICTED, *interval, reason)
    return inconclusive(reason, *interval)
