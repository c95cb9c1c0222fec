"""Do the layers of a deep linear network become of rank one, and do neighbours come to share a singular vector?"""

from dirconv.claims import Evidence, Outcome, decided, failing, inconclusive
from dirconv.claims.fits import rate
from dirconv.claims.rules import Rule
from dirconv.options import configurable

NUMERICS = 1
GOES_THROUGH = ("fits",)
RULE = Rule(
    tables=("path", "factors"),
    statistic="largest σ₂/σ₁ of any layer at the end",
    threshold="ratio",
    symbol="σ₂/σ₁",
    relation="at most",
    finds=(
        "every layer comes to be of rank one, aligned with its neighbours",
        "some layer does not come to be of rank one, or is not aligned with its neighbours",
    ),
    judged=(
        "Supported: at the end σ₂/σ₁ of every layer is at most ratio, and the angle between neighbours' singular "
        "vectors is at most neighbour (rad). Contradicted: either is above, and the larger of the two, relative to its "
        "threshold, has stopped falling: its logarithm falls by less than rate per unit of τ."
    ),
)


@configurable
class Thresholds:
    ratio: float  # σ₂/σ₁
    neighbour: float  # rad, between neighbours' singular vectors
    rate: float  # per unit of τ, below which the logarithm has stopped falling


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    worst = evidence.tables["factors"].groupby("snapshot")[["tau", "ratio", "neighbour"]].max()
    ratio, neighbour = float(worst["ratio"].iloc[-1]), float(worst["neighbour"].iloc[-1])
    share = (worst["ratio"] / thresholds.ratio).combine(worst["neighbour"] / thresholds.neighbour, max)
    fall = rate(worst["tau"].to_numpy(), share.to_numpy())
    if fall is None:
        return inconclusive("too few points for a rate", ratio)
    reason = f"neighbours {neighbour:.2g} rad apart; both fall like e^(−κτ), κ = {fall.kappa:.2f}"
    needed = {
        f"σ₂/σ₁ at most {thresholds.ratio:g}": ratio <= thresholds.ratio,
        f"neighbours at most {thresholds.neighbour:g} rad apart": neighbour <= thresholds.neighbour,
    }
    return decided(all(needed.values()), fall.high < thresholds.rate, reason, ratio, unmet=failing(needed))
