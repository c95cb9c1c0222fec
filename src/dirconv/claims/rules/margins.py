"""Do all normalized margins converge? The fastest-moving example's variation must be summable in τ."""

from __future__ import annotations

import numpy as np

from dirconv.claims import Evidence, Outcome, inconclusive
from dirconv.claims.rules import _common, _convergence

TABLES = ("path", "margins")
STATISTIC = "exponent P of sup_i |dm_i|/dτ = A (τ + τ₀)^(−P), m_i = p_i/‖W‖^L"
THRESHOLD = "exponent"
Thresholds = _convergence.Convergence


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    """One run and seed; what remains is relative to the largest normalized margin."""
    unmet = _common.assumption(evidence)
    if unmet:
        return inconclusive(unmet)
    path = _common.from_assumption(evidence)
    start = evidence.tables["path"]["tau"].loc[path.index[0]]
    table = evidence.tables["margins"].pivot(index="snapshot", columns="example", values="by_norm")
    tau = evidence.tables["margins"].groupby("snapshot")["tau"].first().to_numpy() - start
    margins = table.to_numpy(dtype=float)[tau >= 0]
    tau = tau[tau >= 0]
    if len(tau) < 2:
        return inconclusive("too few snapshots for a decay exponent")
    steps = np.abs(np.diff(margins, axis=0)).max(axis=1) / np.abs(margins[-1]).max()
    travelled = np.concatenate([[0.0], np.cumsum(steps)])
    end = float(path["tau"].iloc[-1])
    return _convergence.convergence(tau, travelled, end, thresholds, "of the largest normalized margin")
