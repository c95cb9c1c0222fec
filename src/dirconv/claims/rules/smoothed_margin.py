r"""Does the smoothed margin ã = ℓ⁻¹(ℒ)/‖W‖^L ever fall, once ℒ < ℓ(0)?

Along the exact flow it cannot (for exponential loss d ln ã/dτ ≥ L tan²∠). A numerical step may let it fall by what
its local error e explains: moving the direction by e changes ln ã by up to |d ln ã/dζ| e = L tan∠ · e. So a fall
counts against the claim only where it exceeds both the tolerance and what the integration can explain.
"""

import numpy as np

from dirconv.claims import Evidence, Outcome, decided
from dirconv.claims.rules import Rule
from dirconv.options import configurable

NUMERICS = 1
RULE = Rule(
    tables=("path",),
    statistic="largest fall of ã below its running maximum, relative",
    threshold="fall",
    symbol="Largest fall",
    relation="at most",
    finds=("the smoothed margin never falls", "the smoothed margin falls"),
    judged=(
        "Supported: the largest relative fall is at most fall. Contradicted: it is more than that, and more than "
        "error_factor times the largest fall that one step's error explains."
    ),
    degree=True,
)


@configurable
class Thresholds:
    fall: float  # relative
    error_factor: float  # on the fall that one step's local error explains


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    degree = evidence.record["specification"]["degree"]
    path = evidence.tables["path"]
    margin = path["smoothed_margin"].to_numpy()  # positive in the first row, where ℒ < ℓ(0)
    highest = np.maximum.accumulate(margin)
    fall = float(((highest - margin) / highest).max())
    explained = float((degree * path["tan"].abs() * path["error"]).max())
    reason = f"one step's local error explains a fall of up to {explained:.2g}"
    return decided(fall <= thresholds.fall, fall > thresholds.error_factor * explained, reason, fall)
