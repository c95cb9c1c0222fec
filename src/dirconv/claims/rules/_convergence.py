"""What the rules about a limit share: has something that travels with τ only a finite way to go?

A run shows a transient first, and ridges later, on which the speed stands still: docs/verdicts.md. So nothing is
decided before the last decades of τ lie behind the one and are longer than the other.
"""

from collections.abc import Callable, Iterator

import numpy as np

from dirconv.claims import Evidence, Outcome, Verdict, failing, inconclusive
from dirconv.claims.rules import Rule, too_short
from dirconv.claims.statistics import Decay, decay, fall, steepest
from dirconv.options import configurable

NUMERICS = 2
GOES_THROUGH = ("tail_statistics",)
JUDGED = (
    "P is the exponent of the family A (τ + τ₀)^(−P), fitted to the speed over the last decades of τ, or up to twice "
    "as many where it fits them. Supported, once τ has grown by tau: the 95 % interval of P lies above exponent, and "
    "the longest remaining way that the interval admits is at most remaining. Contradicted, once τ has grown by "
    "slow_tau: the interval lies below slow; the observed slope has stopped rising; over no half decade of the last "
    "slow_decades was it above exponent, or slow if that is more, as it is before a ridge; and nothing else speaks "
    "for a transient: the run at half the tolerance, where there is one, is as slow, and the KKT residual, where it "
    "was measured, does not fall."
)
BESIDE = ("kkt",)
Read = Callable[[Evidence], tuple[np.ndarray, np.ndarray] | None]  # τ and what has travelled by then, (k,) each


def rule(*tables: str, statistic: str, finds: tuple[str, str], nor: str = "", degree: bool = False,
         beside: tuple[str, ...] = ()) -> Rule:  # fmt: skip
    """The declaration of a rule about a limit. nor: where else it says nothing."""
    return Rule(
        tables=tables,
        statistic=statistic,
        symbol="P",
        threshold="exponent",
        relation="above",
        other="slow",
        finds=finds,
        judged=JUDGED + nor,
        degree=degree,
        beside=(*beside, *BESIDE),
    )


@configurable
class Thresholds:
    exponent: float  # 1 is where ∫τ^(−P) dτ stops converging
    slow: float  # a P below which a speed is too slow; from there to `exponent` transients are
    remaining: float  # longest way that may remain, in the unit of what travels
    tau: float  # growth of ln‖W‖ before which nothing is supported
    decades: float  # of τ over which P is fitted
    slow_tau: float  # growth of ln‖W‖ before which nothing is contradicted
    slow_decades: float  # of τ in which the speed must not have fallen fast: longer than a ridge


def convergence(evidence: Evidence, read: Read, thresholds: Thresholds, unit: str) -> Outcome:
    """Does what `read` finds in the evidence of a run converge? Its runs at half the tolerance are read likewise."""
    found = read(evidence)
    fit = found and decay(*found, thresholds.decades)
    if not fit:
        return inconclusive("too few points in τ for a decay exponent")
    interval = (fit.exponent, fit.low, fit.high)
    end = float(evidence.tables["path"]["tau"].iloc[-1])
    if short := too_short(end, thresholds.tau):
        return inconclusive(short, *interval)
    if fit.low > thresholds.exponent and fit.remaining <= thresholds.remaining:
        return Outcome(Verdict.SUPPORTED, *interval, f"at most {fit.remaining:.3g} {unit} remain to be travelled")
    unmet = ""
    if not _slow(fit, thresholds):
        unmet = failing(
            {
                f"P above {thresholds.exponent:g}": fit.low > thresholds.exponent,
                f"at most {thresholds.remaining:g} {unit} may remain": fit.remaining <= thresholds.remaining,
            }
        )
        why = f"the interval decides nothing yet, or too much may remain ({fit.remaining:.3g} {unit})"
    elif not (why := next(_transient(evidence, read, end, thresholds), "")):
        return Outcome(Verdict.CONTRADICTED, *interval, "the speed decays too slowly for a finite way")
    return inconclusive(why, *interval, unmet=unmet)


def _slow(fit: Decay, thresholds: Thresholds) -> bool:
    """Whether the speed decays too slowly over the last decades of τ, and has stopped doing so faster and faster."""
    return fit.moving and fit.high < thresholds.slow and (fit.settled or fit.slope_ahead < _steep(thresholds))


def _steep(thresholds: Thresholds) -> float:
    """A slope above which a speed is not slow."""
    return max(thresholds.exponent, thresholds.slow)


def _transient(evidence: Evidence, read: Read, end: float, thresholds: Thresholds) -> Iterator[str]:
    """What speaks for a transient, or for a ridge, where a speed is slow."""
    if end < thresholds.slow_tau:
        yield f"slow so far, but a transient can be: {too_short(end, thresholds.slow_tau)}"
    steep = steepest(*read(evidence), thresholds.slow_decades)
    if steep > _steep(thresholds):
        yield f"slow at the end, but the speed has fallen like τ^(−{steep:.2f}) before: this may be a ridge"
    for _, half in evidence.pairs:
        found = read(half)
        fit = found and decay(*found, thresholds.decades)
        if not fit or not _slow(fit, thresholds):
            yield "slow, but at half the tolerance it is not: this may be the integrator's"
    if slopes := residual_falls(evidence, thresholds.decades):
        yield f"slow, but the KKT residual still falls like τ^(−p), p in [{slopes[0]:.2f}, {slopes[1]:.2f}]"


def residual_falls(evidence: Evidence, decades: float) -> tuple[float, float] | None:
    """The interval of the slope −d ln ε/d ln τ over the last decades of τ, if it is above zero; reads `kkt`."""
    table = evidence.tables.get("kkt")
    slopes = None if table is None else fall(table["tau"].to_numpy(), table["epsilon_relative"].to_numpy(), decades)
    return slopes if slopes and slopes[0] > 0 else None
