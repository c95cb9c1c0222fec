"""Does the direction of a network on images converge, by the chords between its snapshots? As the rule `chords`.

Snapshots are evenly spaced in the logarithm of ln(1/ℒ), which for a network of degree L is even in τ, not in ln τ: late
chords are short, and some chatter stays in them. They are as long as the path between them at most.
"""

from __future__ import annotations

import numpy as np

from dirconv.claims import Evidence, Outcome, inconclusive
from dirconv.claims.rules import _common, _convergence

TABLES = ("path", "direction")
STATISTIC = "exponent P of the chords' length over Δτ = A (τ + τ₀)^(−P)"
THRESHOLD = "exponent"
Thresholds = _convergence.Convergence


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    """One run and seed; what remains is in radians."""
    unmet = _common.assumption(evidence)
    if unmet:
        return inconclusive(unmet)
    path, snapshots = evidence.tables["path"], evidence.tables["direction"]
    start = path.loc[path["below"].cummax(), "tau"].iloc[0]
    snapshots = snapshots[snapshots["tau"] >= start]
    if len(snapshots) < 2:
        return inconclusive("fewer than two snapshots with ℒ < ℓ(0)")
    tau = (snapshots["tau"] - start).to_numpy()
    chords = np.r_[0.0, snapshots["angle_from_previous"].iloc[1:].cumsum()]
    return _convergence.convergence(tau, chords, float(tau[-1]), thresholds, "rad")
