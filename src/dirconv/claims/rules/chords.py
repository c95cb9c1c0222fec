"""Does the direction converge, by chords between directions at log-spaced τ? For flows whose steps chatter at kinks.

The path ζ adds up every step, and with it what steps jump to and fro across kinks of ReLU, up to their tolerance each;
a chord between two distant τ's does not. It is at most as long as the path between them.
"""

from __future__ import annotations

from dirconv.claims import Evidence, Outcome, inconclusive
from dirconv.claims.rules import _common, _convergence

TABLES = ("path", "limit")
STATISTIC = "exponent P of the chords' length over Δτ = A (τ + τ₀)^(−P)"
THRESHOLD = "exponent"
Thresholds = _convergence.Convergence


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    """One run and seed; what remains is in radians."""
    unmet = _common.assumption(evidence)
    if unmet:
        return inconclusive(unmet)
    limit = evidence.tables["limit"].dropna(subset="chords")
    tau, chords = limit["tau"].to_numpy(), limit["chords"].to_numpy()
    return _convergence.convergence(tau, chords, float(evidence.tables["path"]["tau"].iloc[-1]), thresholds, "rad")
