r"""What the paper adds to Lyu and Li's bound: ∫ tan² ∠ dτ is finite, and so is ∫ tan ∠ dτ.

Lyu and Li (2020) bound L ∫ tan² ∠ dτ by ln(ã_end/ã_0), so that it is finite where ã is bounded: the angle is small
along some sequence of times, and limit points of the direction are stationary. That leaves room for a direction that
moves for ever, as tan ∠ = 1/τ does: only a finite ∫ tan ∠ dτ, the path's length, makes it converge.
"""

import dataclasses
import math

import numpy as np

from dirconv.claims import Evidence, Outcome, Verdict
from dirconv.claims.rules import _convergence
from dirconv.claims.rules._convergence import convergence, rule

NUMERICS = 1
GOES_THROUGH = ("convergence",)
RULE = rule(
    "path",
    statistic="exponent P of tan ∠ = A (τ + τ₀)^(−P): above 1/2 the square's integral is finite, above 1 its own",
    finds=("∫ tan ∠ dτ is finite, as ∫ tan² ∠ dτ is", "∫ tan ∠ dτ is not finite, though ∫ tan² ∠ dτ is"),
    nor=" Nor where Lyu and Li's bound is exceeded by more than the share violation: such a path is not the flow's.",
    degree=True,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Thresholds(_convergence.Thresholds):
    violation: float  # share by which the bound may be exceeded


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    path = evidence.tables["path"]
    tau, zeta = path["tau"].to_numpy(), path["zeta"].to_numpy()
    step = np.diff(tau)
    moving = step > 0
    squared = float((np.diff(zeta)[moving] ** 2 / step[moving]).sum())
    margin = path["smoothed_margin"].to_numpy()
    bound = math.log(margin[-1] / margin[0]) / evidence.record["specification"]["degree"]
    both = f"∫ tan² ∠ dτ = {squared:.3g}, at most {bound:.3g} by Lyu and Li; ∫ tan ∠ dτ = {zeta[-1]:.3g} so far"
    outcome = convergence(evidence, lambda _: (tau, zeta), thresholds, "rad of path")
    if not squared <= bound * (1 + thresholds.violation):
        return dataclasses.replace(
            outcome, verdict=Verdict.INCONCLUSIVE, reason=f"the bound does not hold: {both}", unmet=""
        )
    return dataclasses.replace(outcome, reason=f"{both}; {outcome.reason}")
