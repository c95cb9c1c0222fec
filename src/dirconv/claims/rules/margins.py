"""Do all normalized margins converge? The variation of the fastest-moving example must be summable in τ."""

import numpy as np

from dirconv.claims import Evidence, Outcome
from dirconv.claims.rules._convergence import Thresholds, convergence, rule

NUMERICS = 1
GOES_THROUGH = ("convergence",)
RULE = rule(
    "path",
    "margins",
    statistic="exponent P of sup_i |dm_i|/dτ = A (τ + τ₀)^(−P), m_i = p_i/‖W‖^L",
    finds=("every normalized margin converges", "some normalized margin does not converge"),
)


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    return convergence(evidence, travelled, thresholds, "of the largest normalized margin")


def travelled(evidence: Evidence) -> tuple[np.ndarray, np.ndarray] | None:
    """τ and the variation of the fastest-moving example up to there, over the largest margin at the end."""
    table = evidence.tables["margins"]
    tau = table.groupby("snapshot")["tau"].first().to_numpy()
    if len(tau) < 2:
        return None
    margins = table.pivot(index="snapshot", columns="example", values="by_norm").to_numpy(dtype=float)  # (k, n)
    steps = np.abs(np.diff(margins, axis=0)).max(axis=1) / np.abs(margins[-1]).max()
    return tau, np.concatenate([[0.0], np.cumsum(steps)])
