r"""How long until the direction stays within ε of its limit? With constant steps, e^(C ε^(−k)) of them.

Gradient descent with a constant step size η takes about t/η steps for the flow's time t, which ℒ makes exponential in
ln(1/ℒ). With D(τ) the distance to the limit, ln t is fitted as C D^(−k): k = 1 is a number of steps that is exponential
in 1/ε. The limit is not known. If the angle to the end falls exponentially in τ, D is that angle plus the rest of the
fall, from the angles one and two units of τ before the end. If it does not, D is the angle to the end itself, up to one
unit of τ before it: late distances, and with them k, then come out too small, so that k is a lower bound.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from dirconv.claims import Evidence, Outcome, Verdict, inconclusive
from dirconv.claims._line import line
from dirconv.claims.rules import _common

TABLES = ("path", "limit")
STATISTIC = "k in: steps of constant size until within ε = exp(C ε^(−k))"
THRESHOLD = "exponent"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Thresholds:
    """k is fitted where the distance to the limit is from `near` to `far`, rad, at three points at least.

    Supported: the lower end of its interval is at least `exponent`. Contradicted: the upper end is below, and the end
    is known to be within `near` of the limit. Neither before τ has grown by `tau`.
    """

    exponent: float
    near: float
    far: float
    tau: float

    __pydantic_config__ = {"extra": "forbid", "strict": True}


def remainder(tau: np.ndarray, to_end: np.ndarray) -> float:
    """What is left at the end if the distance falls as C e^(−aτ): d₂/(e^a − 1), a = ln(d₁/d₂ − 1); ∞ if it does not.

    d₁, d₂: the angles to the end two units of τ and one before it, C (e^(2a) − 1) and C (e^a − 1) times e^(−aτ).
    """
    if tau[-1] - tau[0] < 2:
        return math.inf
    two, one = np.interp(tau[-1] - np.array([2.0, 1.0]), tau, to_end)
    if not (one > 0 and two > 2 * one):
        return math.inf
    return float(one / (two / one - 2))


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    """One run and seed."""
    unmet = _common.assumption(evidence)
    if unmet:
        return inconclusive(unmet)
    limit = evidence.tables["limit"]
    tau = limit["tau"].to_numpy()
    short = _common.too_short(float(tau[-1]), thresholds.tau)
    if short:
        return inconclusive(short)
    to_end = limit["to_end"].to_numpy()
    rest = remainder(tau, to_end)
    known = rest <= thresholds.near
    distance, ln_time = to_end + (rest if known else 0.0), limit["ln_time"].to_numpy()
    used = (distance >= thresholds.near) & (distance <= thresholds.far) & np.isfinite(ln_time) & (ln_time > 0)
    if not known:
        used &= tau <= tau[-1] - 1
    if used.sum() < 3:
        return inconclusive("fewer than three kept points are as near to the limit as asked, and no nearer")
    found = line(-np.log(distance[used]), np.log(ln_time[used]))
    interval = (found.slope, found.low, found.high)
    first, last = np.flatnonzero(used)[[0, -1]]
    steps = limit["step"].to_numpy()
    reason = (
        f"from {distance[first]:.2g} to {distance[last]:.2g} rad ln t goes from {ln_time[first]:.3g} to "
        f"{ln_time[last]:.3g}, the flow engine takes {steps[last] - steps[first]} steps"
        + ("" if known else "; the limit is further than the end, k a lower bound")
    )
    if found.low >= thresholds.exponent:
        return Outcome(Verdict.SUPPORTED, *interval, reason)
    if known and found.high < thresholds.exponent:
        return Outcome(Verdict.CONTRADICTED, *interval, reason)
    return inconclusive(reason, *interval)
