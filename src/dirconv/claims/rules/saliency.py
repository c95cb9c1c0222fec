"""Do the input gradients' directions converge? The fastest-turning example's variation must be summable in τ.

A margin is a Lipschitz function of the weights; an input gradient jumps where a ReLU or a maximum switches. The angles
between snapshots are then those of a random walk: they grow like a root of the interval, the path is longer than their
sum, and its speed would seem to decay half as fast as it does. So nothing is said unless angles add up: of those over
two intervals to those over one, the ratio is 1 on a smooth path and 1/√2 on a random walk.
"""

from __future__ import annotations

import numpy as np

from dirconv.claims import Evidence, Outcome, Verdict, inconclusive
from dirconv.claims.rules import _common, _convergence

TABLES = ("path", "saliency")
STATISTIC = "exponent P of sup_i |dg_i|/dτ = A (τ + τ₀)^(−P), g_i = ∇_x p_i/‖∇_x p_i‖"
THRESHOLD = "exponent"
Thresholds = _convergence.Convergence
RESOLVED = 0.9  # ratio from which on snapshots resolve the path


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    """One run and seed; what remains is an angle, in rad."""
    unmet = _common.assumption(evidence)
    if unmet:
        return inconclusive(unmet)
    path = _common.from_assumption(evidence)
    start = evidence.tables["path"]["tau"].loc[path.index[0]]
    table = evidence.tables["saliency"]
    tau = table.groupby("snapshot")["tau"].first().to_numpy() - start
    late = tau >= 0
    if late.sum() < 2:
        return inconclusive("too few snapshots for a decay exponent")
    # the first of them has moved from a snapshot before the assumption held
    moved, over_two = (
        table.pivot(index="snapshot", columns="example", values=column).to_numpy(dtype=float)[late][1:]
        for column in ("moved", "over_two")
    )
    if np.isnan(moved).any():
        return inconclusive("the gradient of an example vanishes, and has no direction")
    travelled = np.concatenate([[0.0], np.cumsum(moved.max(axis=1))])
    found = _convergence.convergence(tau[late], travelled, float(path["tau"].iloc[-1]), thresholds, "rad")
    along = float((moved[1:] + moved[:-1]).sum())
    ratio = float(over_two[1:].sum()) / along if along > 0 else 1.0
    if found.verdict == Verdict.INCONCLUSIVE or ratio >= RESOLVED:
        return found
    reason = f"input gradients jump between snapshots (angles add up to {ratio:.2f} of their sum), else: {found.reason}"
    return inconclusive(reason, found.value, found.low, found.high)
