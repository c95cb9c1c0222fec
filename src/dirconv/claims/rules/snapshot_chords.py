"""Does the direction of a network on images converge, by the chords between its snapshots? As the rule `chords`.

Snapshots are evenly spaced in the logarithm of ln(1/ℒ): for a network of degree L, evenly in τ and not in ln τ. So late
chords are short, and some chatter stays in them. A chord is at most as long as the path between its ends.
"""

import numpy as np

from dirconv.claims import Evidence, Outcome, inconclusive
from dirconv.claims.rules._convergence import Thresholds, convergence, rule

NUMERICS = 1
GOES_THROUGH = ("convergence",)
RULE = rule("path", "direction", statistic="exponent P of the chords' length over Δτ = A (τ + τ₀)^(−P)")


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    snapshots = evidence.tables["direction"]
    if len(snapshots) < 2:
        return inconclusive("fewer than two snapshots with ℒ < ℓ(0)")
    tau = snapshots["tau"].to_numpy()
    chords = np.r_[0.0, snapshots["angle_from_previous"].iloc[1:].cumsum()]
    return convergence(tau, chords, float(tau[-1]), thresholds, "rad")
