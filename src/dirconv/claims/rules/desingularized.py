r"""Is the path's length controlled by a power of what the smoothed margin has left to rise? ζ_∞ − ζ ∝ (a − ã)^κ."""

from dirconv.claims import Evidence, Outcome, Verdict, inconclusive
from dirconv.claims.desingularize import KAPPA, exponent
from dirconv.claims.rules import Rule, too_short
from dirconv.options import configurable

NUMERICS = 1
GOES_THROUGH = ("desingularize",)
RULE = Rule(
    tables=("path",),
    statistic="exponent κ of Ψ(u) = u^κ in dζ = −c dΨ(a − ã)",
    threshold="exponent",
    symbol="κ",
    relation="above",
    finds=(
        "a power of the remaining margin bounds the remaining path",
        "no power of the remaining margin bounds the remaining path",
    ),
    judged=(
        "Supported: the 95 % interval of κ, fitted over the last 1 − since of ln‖W‖'s growth, is above exponent. "
        "Contradicted: it is below, so that the remaining way is infinite or cannot be told from that. Neither before "
        "τ has grown by tau."
    ),
    degree=True,
)


@configurable
class Thresholds:
    exponent: float  # any κ above 0 leaves a finite way
    since: float  # share of τ that is passed over
    tau: float  # growth of ln‖W‖ before which nothing is decided


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    path = evidence.tables["path"]
    tau, zeta, margin = (path[column].to_numpy() for column in ("tau", "zeta", "smoothed_margin"))
    fit = exponent(tau, zeta, margin, thresholds.since * tau[-1])
    if fit is None:
        return inconclusive("too few steps over which the smoothed margin rises by more than rounding")
    interval = (fit.kappa, fit.low, fit.high)
    if short := too_short(tau[-1], thresholds.tau):
        return inconclusive(short, *interval)
    if fit.low > thresholds.exponent:
        return Outcome(Verdict.SUPPORTED, *interval, f"{fit.secants} secants")
    if KAPPA[0] <= fit.low and fit.high < thresholds.exponent:
        return Outcome(Verdict.CONTRADICTED, *interval, "the length grows at least like ln 1/(a − ã)")
    if fit.low < KAPPA[0] or fit.high > KAPPA[-1]:
        return inconclusive("the limit of the smoothed margin cannot be told from the run", *interval)
    return inconclusive("the interval decides nothing yet", *interval)
