r"""Do the identities of the flow hold along the computed path?

============  =============================================================================================
speed         ζ = ∫ tan ∠ dτ: the path's length against the integral of the velocity's tangent (trapezoids)
balance       ‖W_k‖² − ‖W_j‖² is constant for layers of degree one each: its change, relative to ‖W‖²
growth        L ∫ tan² ∠ dτ ≤ ln(ã_end/ã_0): by how much the left side exceeds the right, relative to it
============  =============================================================================================

The first two hold for every loss; the third for exponential loss, and for logistic loss once ℒ < ℓ(0).
"""

import numpy as np

from dirconv.claims import Evidence, Outcome, decided
from dirconv.claims.rules import Rule
from dirconv.options import configurable

NUMERICS = 1
RULE = Rule(
    tables=("path", "layers"),
    statistic="largest relative violation of the flow's identities",
    threshold="violation",
    symbol="Largest violation",
    relation="at most",
    other="broken",
    finds=("the identities of the flow hold", "the identities of the flow are violated"),
    judged=(
        "Supported: no identity is violated by more than violation. Contradicted: one is violated by more than broken."
    ),
    degree=True,
)


@configurable
class Thresholds:
    violation: float  # up to which it holds
    broken: float  # above which it does not


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    path, degree = evidence.tables["path"], evidence.record["specification"]["degree"]
    tau, zeta, tan = (path[column].to_numpy() for column in ("tau", "zeta", "tan"))
    width = np.diff(tau)
    length = float((width * (tan[1:] + tan[:-1]) / 2).sum())
    # the velocity belongs to the step that ends: a step's own tangent, so that its start does not count twice
    growth = degree * float((width * tan[1:] ** 2).sum())
    gain = float(np.log(path["smoothed_margin"].iloc[-1] / path["smoothed_margin"].iloc[0]))
    squares = evidence.tables["layers"].pivot(index="snapshot", columns="layer", values="layer_norm").to_numpy() ** 2
    start, end = squares[0], squares[-1]
    drift = np.abs((end - start)[:, None] - (end - start)[None, :]).max() / end.sum()
    violations = {
        "speed": abs(zeta[-1] - zeta[0] - length) / max(zeta[-1] - zeta[0], 1e-12),
        "balance": float(drift),
        "growth": max(growth - gain, 0.0) / max(gain, 1e-12),
    }
    worst = max(violations.values())
    reason = ", ".join(f"{name} {value:.2g}" for name, value in violations.items())
    return decided(worst <= thresholds.violation, worst > thresholds.broken, reason, worst)
