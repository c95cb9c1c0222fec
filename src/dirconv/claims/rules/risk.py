r"""Does the risk go to zero and the norm to infinity?

ln(1/ℒ) ≥ roughly ‖W‖^L ã, and ã never falls: so d ln ln(1/ℒ)/dτ ≥ L, with equality in the limit. A run whose ratio
(1/L) d ln ln(1/ℒ)/dτ stays at 1 or above has ln(1/ℒ) growing at least like ‖W‖^L; and since margins are bounded on
the sphere, ln(1/ℒ) → ∞ forces ‖W‖ → ∞.
"""

import numpy as np

from dirconv.claims import Evidence, Outcome, Verdict, inconclusive
from dirconv.claims.rules import Rule
from dirconv.options import configurable

NUMERICS = 1
RULE = Rule(
    tables=("path",),
    statistic="growth ratio (1/L) d ln ln(1/ℒ)/dτ, least secant over the second half of the growth",
    threshold="growth_ratio",
    symbol="Growth ratio",
    relation="at least",
    finds=("the risk goes to zero and the norm to infinity", "the risk rises again"),
    judged=(
        "Supported: every late secant's ratio is at least growth_ratio, ln(1/ℒ) at the end is at least "
        "log_inverse_risk, and ‖W‖ rises. Contradicted: the risk at the end is above rise times the least one reached."
    ),
    degree=True,
)
SECANTS = 8


@configurable
class Thresholds:
    growth_ratio: float  # 1 is growth like ‖W‖^L
    log_inverse_risk: float  # ln(1/ℒ) before which nothing is supported
    rise: float  # factor on the least risk


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    """One run and seed. The interval is the range of the secants' ratios."""
    degree = evidence.record["specification"]["degree"]
    path = evidence.tables["path"]
    tau, ln_risk = path["tau"].to_numpy(), path["ln_risk"].to_numpy()
    if ln_risk[-1] - ln_risk.min() > np.log(thresholds.rise):
        return Outcome(Verdict.CONTRADICTED, reason="the risk rose again")
    positive = ln_risk < 0  # ln ln(1/ℒ) needs ℒ < 1
    tau, growth = tau[positive], np.log(-ln_risk[positive])
    if len(tau) < 2 * SECANTS:
        return inconclusive("too few steps for a growth ratio")
    levels = np.linspace(growth[0], growth[-1], SECANTS + 1)[SECANTS // 2 :]
    edges = np.unique(np.searchsorted(np.maximum.accumulate(growth), levels).clip(max=len(tau) - 1))
    rise = np.diff(tau[edges])
    if len(rise) == 0 or (rise <= 0).any():
        return inconclusive("the norm did not grow between late levels of ln(1/ℒ)")
    ratios = np.diff(growth[edges]) / rise / degree
    interval = (float(ratios.min()), float(ratios.min()), float(ratios.max()))
    end = -ln_risk[-1]
    if end < thresholds.log_inverse_risk:
        return inconclusive(f"ln(1/ℒ) reached only {end:.3g}", *interval)
    if interval[0] >= thresholds.growth_ratio:
        return Outcome(Verdict.SUPPORTED, *interval, f"ln(1/ℒ) reached {end:.4g}, ln‖W‖ grew by {tau[-1]:.3g}")
    return inconclusive("ln(1/ℒ) grows more slowly than ‖W‖^L", *interval)
