"""The rule about input gradients: their directions converge."""

import math

import numpy as np
import pandas as pd
import pytest
from evidence import CONVERGENCE

from dirconv.claims import Evidence, Verdict, judging
from dirconv.claims.rules import saliency as rule

TAU = np.concatenate([[0.0], 4.0 * np.geomspace(0.02, 1, 400)])


def travelled(exponent, speed):
    t = np.maximum(TAU, TAU[1])
    return speed * (t ** (1 - exponent) - t[0] ** (1 - exponent)) / (1 - exponent)


def judged(paths, straight=1.0, below=True, before=None):
    """Of examples that have turned so far; over two intervals by `straight` of the sum of the angles over one."""
    parts = []
    for example, path in enumerate(paths):
        moved = np.r_[np.nan, np.diff(path)]
        over_two = straight * (moved + np.r_[np.nan, moved[:-1]])
        part = pd.DataFrame({"snapshot": range(len(TAU)), "tau": TAU, "moved": moved, "over_two": over_two})
        parts.append(part.assign(example=example))
    path = pd.DataFrame({"tau": TAU, "zeta": 0.0, "below": below if before is None else before <= TAU})
    record = {"stop": "tau", "specification": {"degree": 2}}
    evidence = Evidence({"path": path, "saliency": pd.concat(parts)}, record)
    return judging.outcome(rule, [evidence], rule.Thresholds(**CONVERGENCE))


FAST, SLOW = travelled(3.0, 1e-4), travelled(0.5, 0.01)


@pytest.mark.parametrize(
    ("paths", "verdict", "value"),
    [
        ([FAST, FAST / 2], Verdict.SUPPORTED, 3.0),
        ([FAST, SLOW], Verdict.CONTRADICTED, 0.5),  # the fastest-turning example counts
        ([0.01 * TAU, 1e-5 * FAST], Verdict.CONTRADICTED, 0.0),
        ([travelled(1.3, 0.5), FAST], Verdict.INCONCLUSIVE, 1.3),  # too much remains
    ],
)
def test_the_rule(paths, verdict, value):
    found = judged(paths)
    assert found.verdict == verdict
    assert found.value == pytest.approx(value, abs=0.1)


@pytest.mark.parametrize("paths", [[FAST], [FAST, SLOW]])
def test_a_path_of_jumps_decides_nothing_either_way(paths):
    found = judged(paths, straight=math.sqrt(0.5))
    assert found.verdict == Verdict.INCONCLUSIVE
    assert "0.71" in found.reason
    assert judged(paths, straight=0.95).verdict != Verdict.INCONCLUSIVE


def test_what_the_rule_does_not_judge():
    unknown = FAST.copy()
    unknown[200] = np.nan
    assert "vanishes" in judged([FAST, unknown]).reason
    assert "not met" in judged([FAST], below=False).reason
    assert "too few" in judged([FAST], before=4.0).reason
    early = np.where(TAU < 0.2, np.nan, FAST)
    assert judged([early], before=0.3).verdict != Verdict.INCONCLUSIVE  # before the assumption held
