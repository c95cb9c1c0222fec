"""Does the direction converge? The path length ζ(τ) is finite if its speed tan ∠(W, −∇ℒ) decays faster than 1/τ."""

from dirconv.claims import Evidence, Outcome
from dirconv.claims.rules._convergence import Thresholds, convergence, rule

NUMERICS = 1
GOES_THROUGH = ("convergence",)
RULE = rule("path", statistic="exponent P of dζ/dτ = A (τ + τ₀)^(−P)")


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    path = evidence.tables["path"]
    tau, zeta = path["tau"].to_numpy(), path["zeta"].to_numpy()
    return convergence(tau, zeta, tau[-1], thresholds, "rad of path")
