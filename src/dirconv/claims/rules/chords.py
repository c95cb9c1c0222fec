"""Does the direction converge, by chords between directions at log-spaced τ? For flows whose steps chatter at kinks.

The path length ζ adds up every step, and with it every jump to and fro across a kink of ReLU, each up to the tolerance.
A chord between two distant τ does not. It is at most as long as the path between them.
"""

import numpy as np

from dirconv.claims import Evidence, Outcome
from dirconv.claims.rules._convergence import Thresholds, convergence, rule

NUMERICS = 1
GOES_THROUGH = ("convergence",)
RULE = rule(
    "path",
    "limit",
    statistic="exponent P of the chords' length over Δτ = A (τ + τ₀)^(−P)",
    finds=("the direction converges", "the direction does not converge"),
)


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    return convergence(evidence, travelled, thresholds, "rad")


def travelled(evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
    """τ and the sum of the chords, of a small problem."""
    limit = evidence.tables["limit"].dropna(subset="chords")
    return limit["tau"].to_numpy(), limit["chords"].to_numpy()
