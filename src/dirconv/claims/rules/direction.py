"""Does the direction converge? By chords between the points that steps land on, whose speed must decay faster than 1/τ.

On maps that are not smooth the sum of the steps' lengths is longer than the path, and chords over a fixed partition of
τ are not (docs/flow.md, 9a). Maps that are smooth have the rule `path_length`.
"""

import numpy as np

from dirconv.claims import Evidence, Outcome, inconclusive
from dirconv.claims.rules._convergence import Thresholds, convergence, rule

NUMERICS = 2
GOES_THROUGH = ("convergence",)
RULE = rule(
    "path",
    beside=("chords",),
    statistic="exponent P of the chords' length over Δτ = A (τ + τ₀)^(−P)",
    finds=("the direction converges", "the direction does not converge"),
    nor=" Nor where no chords were measured: by a method that lands nowhere, or before there was that measure.",
)


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    if len(evidence.tables.get("chords", ())) < 2:
        return inconclusive("no chords were measured along the path")
    return convergence(evidence, travelled, thresholds, "rad")


def travelled(evidence: Evidence) -> tuple[np.ndarray, np.ndarray] | None:
    """τ and the sum of the chords; None without any."""
    chords = evidence.tables.get("chords")
    return None if chords is None else (chords["tau"].to_numpy(), chords["zeta"].to_numpy())
