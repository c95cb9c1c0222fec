r"""How long until the direction stays within ε of its limit? With constant steps, e^(C ε^(−k)) of them.

Gradient descent with a constant step size η takes about t/η steps for the flow's time t, and ℒ makes t exponential in
ln(1/ℒ). With D(τ) the distance to the limit, ln t is fitted as C D^(−k): k = 1 is a number of steps that is exponential
in 1/ε. The limit is not known. If the angle to the end falls exponentially in τ, D is that angle plus the remainder of
the fall, from the angles one and two units of τ before the end. If it does not, D is the angle to the end itself, up to
one unit of τ before it: late distances, and with them k, then come out too small, so that k is a lower bound.
"""

import numpy as np

from dirconv.claims import Evidence, Outcome, decided, inconclusive
from dirconv.claims.fits import line, remainder
from dirconv.claims.rules import Rule, too_short
from dirconv.options import configurable

NUMERICS = 1
GOES_THROUGH = ("fits",)
RULE = Rule(
    tables=("path", "limit"),
    statistic="k in: steps of constant size until within ε = exp(C ε^(−k))",
    threshold="exponent",
    symbol="k",
    relation="at least",
    finds=(
        "constant steps take exponentially long to the limit",
        "constant steps do not take exponentially long to the limit",
    ),
    judged=(
        "k is fitted where the distance to the limit is from near to far, rad, at three points at least. Supported: "
        "the lower end of its interval is at least exponent. Contradicted: the upper end is below, and the end is "
        "known to be within near of the limit. Neither before τ has grown by tau."
    ),
)


@configurable
class Thresholds:
    exponent: float  # 1 is a number of steps that is exponential in 1/ε
    near: float  # rad, least distance to the limit that is fitted
    far: float  # rad, largest
    tau: float  # growth of ln‖W‖ before which nothing is decided


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    limit = evidence.tables["limit"]
    tau = limit["tau"].to_numpy()
    if short := too_short(float(tau[-1]), thresholds.tau):
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
    fit = line(-np.log(distance[used]), np.log(ln_time[used]))
    first, last = np.flatnonzero(used)[[0, -1]]
    steps = limit["step"].to_numpy()
    reason = (
        f"from {distance[first]:.2g} to {distance[last]:.2g} rad ln t goes from {ln_time[first]:.3g} to "
        f"{ln_time[last]:.3g}, the flow engine takes {steps[last] - steps[first]} steps"
        + ("" if known else "; the limit is further than the end, k a lower bound")
    )
    return decided(fit.low >= thresholds.exponent, known and fit.high < thresholds.exponent, reason, *fit)
