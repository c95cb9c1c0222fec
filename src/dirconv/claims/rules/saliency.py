"""Do the input gradients' directions converge? The fastest-turning example's variation must be summable in τ."""

from __future__ import annotations

import numpy as np

from dirconv.claims import Evidence, Outcome, inconclusive
from dirconv.claims.rules import _common, _convergence

TABLES = ("path", "saliency")
STATISTIC = "exponent P of sup_i |dg_i|/dτ = A (τ + τ₀)^(−P), g_i = ∇_x p_i/‖∇_x p_i‖"
THRESHOLD = "exponent"
Thresholds = _convergence.Convergence


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    """One run and seed; what remains is an angle, in rad."""
    unmet = _common.assumption(evidence)
    if unmet:
        return inconclusive(unmet)
    path = _common.from_assumption(evidence)
    start = evidence.tables["path"]["tau"].loc[path.index[0]]
    by_snapshot = evidence.tables["saliency"].groupby("snapshot")
    tau = by_snapshot["tau"].first().to_numpy() - start
    late = tau >= 0
    if late.sum() < 2:
        return inconclusive("too few snapshots for a decay exponent")
    # the first of them has moved from a snapshot before the assumption held
    moved = by_snapshot["moved"].agg(lambda angles: angles.max(skipna=False)).to_numpy(dtype=float)[late][1:]
    if np.isnan(moved).any():
        return inconclusive("the gradient of an example vanishes, and has no direction")
    travelled = np.concatenate([[0.0], np.cumsum(moved)])
    end = float(path["tau"].iloc[-1])
    return _convergence.convergence(tau[late], travelled, end, thresholds, "rad")
