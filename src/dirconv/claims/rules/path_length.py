"""Does the direction converge, on a smooth map? The path ζ is finite if its speed tan ∠ decays faster than 1/τ.

Only where the map is smooth is the sum of the steps' lengths the length of the path: see the rule `direction`.
"""

import numpy as np

from dirconv.claims import Evidence, Outcome
from dirconv.claims.rules._convergence import Thresholds, convergence, rule

NUMERICS = 1
GOES_THROUGH = ("convergence",)
RULE = rule(
    "path",
    statistic="exponent P of dζ/dτ = A (τ + τ₀)^(−P)",
    finds=("the path of the direction is finite", "the path of the direction is not finite"),
)


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    return convergence(evidence, travelled, thresholds, "rad of path")


def travelled(evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
    """τ and ζ."""
    path = evidence.tables["path"]
    return path["tau"].to_numpy(), path["zeta"].to_numpy()
