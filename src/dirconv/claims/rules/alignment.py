"""Does −∇ℒ align with W? cos → 1: tan ∠ is small at the end, still falling, and does not fall towards a constant.

Judged on the flow's velocity: a ReLU network slides along kinks, where the gradient at a point is one of many. On the
path dζ/dτ = tan ∠, so the speed by chords says the same by another way.
"""

import math

import numpy as np

from dirconv.claims import Evidence, Outcome, decided, failing, halving, inconclusive
from dirconv.claims.rules import Rule, too_short
from dirconv.claims.rules._convergence import residual_falls
from dirconv.claims.statistics import decay, largest_floor, steepest
from dirconv.options import configurable

NUMERICS = 2
GOES_THROUGH = ("convergence", "halving", "tail_statistics")
RULE = Rule(
    tables=("path",),
    beside=("chords", "kkt"),
    statistic="median cos of W with the flow's velocity over the last tenth of τ",
    threshold="cos",
    symbol="cos",
    relation="at least",
    finds=("the gradient aligns with the weights", "the gradient does not align with the weights"),
    judged=(
        "Supported, once τ has grown by tau: the least cos over the last tenth of τ is at least cos; tan ∠ is still "
        "falling there: the interval of its slope −d ln tan/d ln τ is above decay; and no constant above floor, to "
        "which tan ∠ would fall like a power of τ, fits the last decades of τ. Contradicted, once τ has grown by "
        "slow_tau: the slope's interval is below decay, the interval of P over the last decades (see the rule about "
        "the direction) is below 1, tan ∠ fell over no half decade of the last slow_decades faster than 1/τ, the "
        "median cos is below stalled, and the KKT residual, where it was measured, does not fall. On a network that "
        "is not smooth, neither unless, over the second half of τ, halving the tolerance moves the velocity's cos by "
        "at most halving, and it is, in the median, within agreement of the cos of the speed by chords and no more "
        "than that above the KKT certificate's, where there is one: the angle may otherwise be the integrator's."
    ),
)


@configurable
class Thresholds:
    cos: float  # least cos at the end
    floor: float  # of tan ∠: a limit that is smaller is not told from zero
    stalled: float  # median cos below which a tan ∠ that has stopped falling contradicts
    decay: float  # slope −d ln tan/d ln τ above which tan ∠ is falling
    tau: float  # growth of ln‖W‖ before which nothing is supported
    decades: float  # of τ over which P is fitted
    slow_tau: float  # growth of ln‖W‖ before which nothing is contradicted
    slow_decades: float  # of τ in which tan ∠ must not have fallen fast: longer than a ridge
    halving: float = math.inf  # change of cos at half the tolerance; not asked for: explicit methods have one velocity
    agreement: float = math.inf  # of the velocity's cos with the chords' and the certificate's; likewise


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    """One run and seed. The interval is the range of cos over the last tenth of τ."""
    path = evidence.tables["path"]
    end = path["tau"].iloc[-1]
    late = path.loc[path["tau"] >= min(0.9 * end, end), "cos"]
    interval = (float(late.median()), float(late.min()), float(late.max()))
    if reason := too_short(end, thresholds.tau) or _integrators(evidence, thresholds):
        return inconclusive(reason, *interval)
    tau, turned = path["tau"].to_numpy(), _turned(path["tau"].to_numpy(), path["tan"].to_numpy())
    fit = decay(tau, turned, thresholds.decades)
    if fit is None:
        return inconclusive("too few steps for a decay exponent", *interval)
    reason = f"at the end tan ∠ falls like τ^(−p), p in [{fit.slope_low:.2f}, {fit.slope_high:.2f}]"
    needed = {
        f"cos at least {thresholds.cos:g}": interval[1] >= thresholds.cos,
        f"tan ∠ falling, p above {thresholds.decay:g}": fit.slope_low > thresholds.decay,
    }
    if all(needed.values()):
        floor = largest_floor(tau, turned, thresholds.decades)
        needed[f"tan ∠ falling to {thresholds.floor:g} or less"] = floor <= thresholds.floor
        reason += f", to {floor:.2g} or less"
    stalled = (
        end >= thresholds.slow_tau
        and interval[0] < thresholds.stalled
        and fit.slope_high < thresholds.decay
        and max(fit.high, steepest(tau, turned, thresholds.slow_decades)) < 1
        and not residual_falls(evidence, thresholds.decades)
    )
    return decided(all(needed.values()), stalled, reason, *interval, unmet=failing(needed))


def _turned(tau: np.ndarray, tan: np.ndarray) -> np.ndarray:
    """∫ tan ∠ dτ up to each τ, by trapezoids; arrays (k,)."""
    return np.concatenate([[0.0], np.cumsum((tan[1:] + tan[:-1]) / 2 * np.maximum(np.diff(tau), 0))])


def _integrators(evidence: Evidence, thresholds: Thresholds) -> str:
    """Why the angle may be the integrator's, or ''."""
    moved = halving.largest_change_of_cos(evidence.pairs)
    if moved is None and math.isfinite(thresholds.halving):
        return "no run at half the tolerance to compare the velocity with"
    if moved is not None and moved > thresholds.halving:
        return f"halving the tolerance moves the velocity's cos by up to {moved:.2g}"
    if math.isinf(thresholds.agreement):
        return ""
    apart, above = _from_chords(evidence), _above_certificate(evidence)
    if apart is None:
        return "no chords were measured to compare the velocity with"
    if apart > thresholds.agreement:
        return f"the velocity's cos and that of the speed by chords are {apart:.2g} apart"
    if above > thresholds.agreement:
        return f"the velocity's cos is {above:.2g} above what any multipliers give"
    return ""


def _from_chords(evidence: Evidence) -> float | None:
    """Median difference of the velocity's cos from the chords', over the second half of τ; None without chords.

    The velocity's tan ∠ is averaged over each chord.
    """
    chords, path = evidence.tables.get("chords", ()), evidence.tables["path"]
    if len(chords) < 2:
        return None
    tau, turned = path["tau"].to_numpy(), _turned(path["tau"].to_numpy(), path["tan"].to_numpy())
    ends, speed = chords["tau"].to_numpy(), chords["speed"].to_numpy()[1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.diff(np.interp(ends, tau, turned)) / np.diff(ends)
        apart = np.abs(1 / np.hypot(1, mean) - 1 / np.hypot(1, speed))[ends[1:] >= ends[-1] / 2]
    known = apart[np.isfinite(apart)]
    return float(np.median(known)) if len(known) else None


def _above_certificate(evidence: Evidence) -> float:
    """Median excess of the velocity's cos over the certificate's best, over the second half of τ; 0 without one.

    No combination of the gradients at a point aligns better with it than the certificate's.
    """
    table, path = evidence.tables.get("kkt"), evidence.tables["path"]
    if table is None or table["cos_best"].isna().all():
        return 0.0
    late = table[table["tau"] >= table["tau"].max() / 2].dropna(subset="cos_best")
    above = np.interp(late["tau"], path["tau"], path["cos"]) - late["cos_best"]
    return float(above.median()) if len(late) else 0.0
