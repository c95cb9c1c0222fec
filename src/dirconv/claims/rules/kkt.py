"""Does the direction approach a KKT point of the margin problem? ε → 0 and δ → 0 in Lyu and Li's sense.

Read off the probe `kkt`: the best multipliers at every snapshot, whatever the flow's own are. With θ̃ = θ/γ^(1/L) both
are taken relative to θ̃: ε/‖θ̃‖ is the sine of the least angle between W and a positive combination of gradients, and
δ/‖θ̃‖² the complementary slackness in the unit of Σ λ, which is ‖θ̃‖²/L.
"""

import numpy as np

from dirconv.claims import Evidence, Outcome, decided, failing, inconclusive
from dirconv.claims.rules import Rule, too_short
from dirconv.claims.statistics import fall
from dirconv.options import configurable

NUMERICS = 1
GOES_THROUGH = ("tail_statistics",)
RULE = Rule(
    tables=("kkt",),
    statistic="median ε/‖θ̃‖ over the last tenth of τ",
    threshold="epsilon",
    symbol="ε/‖θ̃‖",
    relation="at most",
    finds=("the direction approaches a KKT point", "the direction stays away from KKT points"),
    judged=(
        "Supported, once τ has grown by tau: over the last tenth of τ the largest ε/‖θ̃‖ is at most epsilon and the "
        "largest δ/‖θ̃‖² at most delta; and ε/‖θ̃‖ is still falling: over the last decades of τ the interval of its "
        "slope −d ln ε/d ln τ is above decay. Contradicted, once τ has grown by slow_tau: the median ε/‖θ̃‖ is above "
        "epsilon, and over the last slow_decades of τ the interval of the slope is below decay."
    ),
    assumption=False,  # the probe has no path: a row without a certificate is one with an example that is misclassified
    degree=True,
)


@configurable
class Thresholds:
    epsilon: float  # largest ε/‖θ̃‖ at the end
    delta: float  # largest δ/‖θ̃‖² at the end
    decay: float  # slope −d ln ε/d ln τ above which ε is falling
    tau: float  # growth of ln‖W‖ before which nothing is supported
    decades: float  # of τ over which ε must be falling
    slow_tau: float  # growth of ln‖W‖ before which nothing is contradicted
    slow_decades: float  # of τ over which ε must not have fallen: longer than a ridge


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    """One run and seed. The interval is the range of ε/‖θ̃‖ over the last tenth of τ."""
    table = certified(evidence)
    if table.empty:
        return inconclusive("no snapshot has a certificate: an example is misclassified to the end")
    tau, epsilon = table["tau"].to_numpy(), table["epsilon_relative"].to_numpy()
    late = tau >= 0.9 * tau[-1]
    interval = tuple(float(find(epsilon[late])) for find in (np.median, np.min, np.max))
    if short := too_short(tau[-1], thresholds.tau):
        return inconclusive(short, *interval)
    last, longer = (fall(tau, epsilon, decades) for decades in (thresholds.decades, thresholds.slow_decades))
    if last is None or longer is None:
        return inconclusive("too few snapshots for a slope", *interval)
    degree = evidence.record["specification"]["degree"]
    delta = float((table["delta"] * table["margin"] ** (2 / degree)).to_numpy()[late].max())
    needed = {
        f"ε/‖θ̃‖ at most {thresholds.epsilon:g}": interval[2] <= thresholds.epsilon,
        f"δ/‖θ̃‖² at most {thresholds.delta:g}": delta <= thresholds.delta,
        f"ε falling, p above {thresholds.decay:g}": last[0] > thresholds.decay,
    }
    away = tau[-1] >= thresholds.slow_tau and interval[0] > thresholds.epsilon and longer[1] < thresholds.decay
    reason = f"ε falls like τ^(−p), p in [{last[0]:.2f}, {last[1]:.2f}]; δ/‖θ̃‖² is {delta:.2g}"
    return decided(all(needed.values()), away, reason, *interval, unmet=failing(needed))


def certified(evidence: Evidence):
    """The rows of the table `kkt` from the first on that has a certificate, τ counted from there."""
    table = evidence.tables["kkt"]
    table = table[table["epsilon"].notna().cummax()]
    return table.assign(tau=table["tau"] - table["tau"].iloc[:1].sum()).dropna(subset="epsilon")
