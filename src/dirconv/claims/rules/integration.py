r"""Is the computed path the flow's? The same run at half the tolerance must come to the same direction."""

from dirconv.claims import Evidence, Outcome, decided, halving, inconclusive
from dirconv.claims.rules import Rule
from dirconv.options import configurable

NUMERICS = 1
GOES_THROUGH = ("halving",)
RULE = Rule(
    tables=("path", "sketch"),
    statistic="angle (rad) between the directions at a tolerance and at half of it, at the last τ that both reach",
    threshold="angle",
    symbol="Angle",
    relation="at most",
    other="far",
    finds=("the path does not depend on the tolerance", "the path depends on the tolerance"),
    judged="Supported: it is at most angle. Contradicted: it is above far. Neither before both runs have reached tau.",
    paired=True,
)


@configurable
class Thresholds:
    angle: float  # rad, up to which they are the same
    far: float  # rad, above which they are not
    tau: float  # that both runs must have reached


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    """One run and seed; the interval is the range of the angle over the τ at which both runs end a step."""
    (pair,) = evidence.pairs
    angles = halving.angles(*pair)
    if len(angles) < 2:
        return inconclusive("the two runs share no τ at which a step ends")
    interval = (float(angles.iloc[-1]), float(angles.min()), float(angles.max()))
    end = float(angles.index[-1])
    if end < thresholds.tau:
        return inconclusive(f"compared up to τ = {end:g} only; {thresholds.tau:g} is needed", *interval)
    same, different = interval[0] <= thresholds.angle, interval[0] > thresholds.far
    reason = f"compared at {len(angles)} values of τ up to {end:g}"
    reason += "" if same or different else ": the direction still depends on the tolerance"
    return decided(same, different, reason, *interval)
