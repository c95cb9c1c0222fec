"""What the rules about a limit share: has something that travels with τ only a finite way to go?"""

import numpy as np

from dirconv.claims import Outcome, Verdict, inconclusive
from dirconv.claims.rules import Rule, too_short
from dirconv.claims.statistics import decay
from dirconv.options import configurable

NUMERICS = 1
GOES_THROUGH = ("tail_statistics",)
JUDGED = (
    "P is the exponent of the family A (τ + τ₀)^(−P), fitted to the speed over the last decades of τ, or up to twice "
    "as many where it fits them. Supported: the 95 % interval of P lies above exponent, and the longest remaining way "
    "that the interval admits is at most remaining. Contradicted: the interval lies below exponent + resolution, since "
    "a P that close to 1 leaves a way that no run can tell from an infinite one; and the observed slope has stopped "
    "rising. Neither before τ has grown by tau."
)


def rule(*tables: str, statistic: str, nor: str = "", degree: bool = False) -> Rule:
    """The declaration of a rule about a limit. nor: where else it says nothing."""
    return Rule(tables=tables, statistic=statistic, threshold="exponent", judged=JUDGED + nor, degree=degree)


@configurable
class Thresholds:
    exponent: float  # 1 is where ∫τ^(−P) dτ stops converging
    resolution: float  # of P: an exponent this little above the threshold cannot be told from one below
    remaining: float  # longest way that may remain, in the unit of what travels
    tau: float  # growth of ln‖W‖ before which nothing is decided
    decades: float  # of τ over which P is fitted


def convergence(tau: np.ndarray, travelled: np.ndarray, end: float, thresholds: Thresholds, unit: str) -> Outcome:
    """Does what has `travelled` so far at each τ, arrays (k,), converge? `end` is the last τ of the run."""
    fit = decay(tau, travelled, thresholds.decades)
    if fit is None:
        return inconclusive("too few points in τ for a decay exponent")
    interval = (fit.exponent, fit.low, fit.high)
    if short := too_short(end, thresholds.tau):
        return inconclusive(short, *interval)
    if fit.low > thresholds.exponent and fit.remaining <= thresholds.remaining:
        return Outcome(Verdict.SUPPORTED, *interval, f"at most {fit.remaining:.3g} {unit} remain to be travelled")
    slow = thresholds.exponent + thresholds.resolution
    if fit.moving and fit.high < slow and (fit.settled or fit.slope_ahead < slow):
        return Outcome(Verdict.CONTRADICTED, *interval, "the speed decays too slowly for a finite way")
    return inconclusive(
        f"the interval decides nothing yet, or too much may remain ({fit.remaining:.3g} {unit})", *interval
    )
