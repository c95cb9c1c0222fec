"""Does the direction converge? The path length ζ(τ) is finite if its speed tan ∠(W, −∇ℒ) decays faster than 1/τ."""

from __future__ import annotations

from dirconv.claims import Evidence, Outcome, inconclusive
from dirconv.claims.rules import _common, _convergence

TABLES = ("path",)
STATISTIC = "exponent P of dζ/dτ = A (τ + τ₀)^(−P)"
THRESHOLD = "exponent"
Thresholds = _convergence.Convergence


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    """One run and seed; what remains is in radians."""
    unmet = _common.assumption(evidence)
    if unmet:
        return inconclusive(unmet)
    path = _common.from_assumption(evidence)
    tau, zeta = path["tau"].to_numpy(), path["zeta"].to_numpy()
    return _convergence.convergence(tau, zeta, tau[-1], thresholds, "rad of path")
