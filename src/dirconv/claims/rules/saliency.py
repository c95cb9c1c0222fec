"""Do the input gradients' directions converge? The variation of the fastest-turning example must be summable in τ.

A margin is a Lipschitz function of the weights. An input gradient is not continuous: it jumps where a ReLU or a maximum
switches. The angles between snapshots are then those of a random walk. They grow like the root of the interval, the
path is longer than their sum, and its speed seems to decay half as fast as it does. So nothing is decided unless angles
add up: angles over two intervals, divided by the sum of those over one, are 1 on a smooth path and 1/√2 on a random
walk.
"""

import dataclasses

import numpy as np

from dirconv.claims import Evidence, Outcome, Verdict, inconclusive
from dirconv.claims.rules._convergence import Thresholds, convergence, rule

NUMERICS = 1
GOES_THROUGH = ("convergence",)
SMOOTH = 0.9  # ratio from which on snapshots resolve the path

RULE = rule(
    "path",
    "saliency",
    statistic="exponent P of sup_i |dg_i|/dτ = A (τ + τ₀)^(−P), g_i = ∇_x p_i/‖∇_x p_i‖",
    finds=("the saliency maps converge", "the saliency maps do not converge"),
    nor=f" Nor where input gradients jump: where angles over two intervals are less than {SMOOTH} of the sum over one.",
)


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    table = evidence.tables["saliency"]
    tau = table.groupby("snapshot")["tau"].first().to_numpy()
    if len(tau) < 2:
        return inconclusive("too few snapshots for a decay exponent")
    # the first row is left out: it has moved from a snapshot before ℒ < ℓ(0)
    moved, over_two = (
        table.pivot(index="snapshot", columns="example", values=column).to_numpy(dtype=float)[1:]
        for column in ("moved", "over_two")
    )
    if np.isnan(moved).any():
        return inconclusive("the gradient of an example vanishes, and has no direction")
    travelled = np.concatenate([[0.0], np.cumsum(moved.max(axis=1))])
    outcome = convergence(evidence, lambda _: (tau, travelled), thresholds, "rad")
    over_one = float((moved[1:] + moved[:-1]).sum())
    ratio = float(over_two[1:].sum()) / over_one if over_one > 0 else 1.0
    if outcome.verdict == Verdict.INCONCLUSIVE or ratio >= SMOOTH:
        return outcome
    jump = f"input gradients jump between snapshots (angles add up to {ratio:.2f} of their sum), else: "
    return dataclasses.replace(outcome, verdict=Verdict.INCONCLUSIVE, reason=jump + outcome.reason)
