"""Does the direction converge? The path length ζ(τ) is finite if its speed tan ∠(W, −∇ℒ) decays faster than 1/τ."""

from __future__ import annotations

from dirconv.claims import Evidence, Outcome
from dirconv.claims.rules import Rule, _convergence

NUMERICS = 1
GOES_THROUGH = ("convergence",)
RULE = Rule(
    tables=("path",),
    statistic="exponent P of dζ/dτ = A (τ + τ₀)^(−P)",
    threshold="exponent",
    judged=_convergence.JUDGED,
)
Thresholds = _convergence.Convergence


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    """One run and seed; the remaining way is in radians."""
    path = evidence.tables["path"]
    tau, zeta = path["tau"].to_numpy(), path["zeta"].to_numpy()
    return _convergence.convergence(tau, zeta, tau[-1], thresholds, "rad of path")
