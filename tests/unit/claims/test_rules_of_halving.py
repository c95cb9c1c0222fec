"""Rules that compare a run with the same run at half the tolerance."""

import numpy as np
import pandas as pd
import pytest
from evidence import ALIGNMENT, RECORD, flow_table

from dirconv.claims import Evidence, Verdict, judging
from dirconv.claims.rules import alignment, integration


def sketch(angle):
    """A direction that is turned by `angle` against (1, 0, …), at every landing."""
    tau = np.arange(0.25, 2.01, 0.25)
    values = np.zeros(512)
    values[:2] = np.cos(angle), np.sin(angle)
    parts = [pd.DataFrame({"tau": t, "landed": True, "bucket": np.arange(512), "value": values}) for t in tau]
    return pd.concat(parts, ignore_index=True)


def pair(angle=0.0, shift=0.0):
    one, half = (
        Evidence({"path": flow_table(s), "sketch": sketch(a)}, {**RECORD, "created": str(a + s)})
        for a, s in ((0.0, 0.0), (angle, shift))
    )
    return Evidence(one.tables, one.record, pairs=((one, half),))


@pytest.mark.parametrize(
    ("angle", "verdict"),
    [(0.005, Verdict.SUPPORTED), (0.05, Verdict.INCONCLUSIVE), (0.3, Verdict.CONTRADICTED)],
)
def test_directions_at_two_tolerances_are_compared_by_their_angle(angle, verdict):
    outcome = judging.outcome(integration, [pair(angle)], integration.Thresholds(angle=0.01, far=0.2, tau=1.0))
    assert outcome.verdict == verdict
    assert outcome.value == pytest.approx(angle)


def test_directions_are_not_compared_before_both_have_come_far_enough():
    outcome = judging.outcome(integration, [pair(0.0)], integration.Thresholds(angle=0.01, far=0.2, tau=3.0))
    assert outcome.verdict == Verdict.INCONCLUSIVE


def aligned(evidence):
    thresholds = alignment.Thresholds(**ALIGNMENT, halving=0.01)
    return judging.outcome(alignment, [evidence], thresholds)


def test_alignment_is_judged_where_halving_the_tolerance_does_not_move_it():
    assert aligned(pair()).verdict == Verdict.SUPPORTED


def test_alignment_is_not_judged_where_halving_the_tolerance_moves_it():
    outcome = aligned(pair(shift=0.2))
    assert outcome.verdict == Verdict.INCONCLUSIVE
    assert "halving the tolerance moves" in outcome.reason


def test_alignment_is_not_judged_without_a_run_at_half_the_tolerance():
    evidence = Evidence({"path": flow_table()}, RECORD)
    assert aligned(evidence).verdict == Verdict.INCONCLUSIVE
    asked_nothing = alignment.Thresholds(**ALIGNMENT)
    assert judging.outcome(alignment, [evidence], asked_nothing).verdict == Verdict.SUPPORTED
