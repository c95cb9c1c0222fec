r"""Does the smoothed margin ã = ℓ⁻¹(ℒ)/‖W‖^L ever fall, once ℒ < ℓ(0)?

Along the exact flow it cannot (for exponential loss d ln ã/dτ ≥ L tan²∠). A numerical step may let it fall by what
its local error e explains: moving the direction by e changes ln ã by up to |d ln ã/dζ| e = L tan∠ · e. So a fall
counts against the claim only where it exceeds both the tolerance and what the integration can explain.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from dirconv.claims import Evidence, Outcome, Verdict, inconclusive
from dirconv.claims.rules import _common

TABLES = ("path",)
STATISTIC = "largest fall of ã below its running maximum, relative"
THRESHOLD = "fall"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Supported: the largest relative fall at most `fall`.

    Contradicted: it is more, and more than `error_factor` times the largest fall that one step's error explains.
    """

    fall: float
    error_factor: float

    __pydantic_config__ = {"extra": "forbid", "strict": True}


def judge(evidence: Evidence, thresholds: Thresholds) -> Outcome:
    """One run and seed."""
    unmet = _common.assumption(evidence)
    if unmet:
        return inconclusive(unmet)
    degree = evidence.record["specification"]["degree"]
    if degree is None:
        return inconclusive("the network has no degree, so no power of ‖W‖ to compare with")
    path = _common.from_assumption(evidence)
    margin = path["smoothed_margin"].to_numpy()  # positive at the first step, where ℒ < ℓ(0); may it stay so
    highest = np.maximum.accumulate(margin)
    fall = float(((highest - margin) / highest).max())
    explained = float((degree * path["tan"].abs() * path["error"]).max())
    reason = f"one step's local error explains a fall of up to {explained:.2g}"
    if fall <= thresholds.fall:
        return Outcome(Verdict.SUPPORTED, fall, reason=reason)
    if fall > thresholds.error_factor * explained:
        return Outcome(Verdict.CONTRADICTED, fall, reason=reason)
    return inconclusive(reason, fall)
