"""The rules about the integration: identities, and a run at half the tolerance. Synthetic tables with known answers."""

import numpy as np
import pandas as pd
import pytest

from dirconv.claims import Evidence, Verdict, judging
from dirconv.claims.rules import alignment, identities, integration

DEGREE = 6
RECORD = {"stop": "tau", "specification": {"degree": DEGREE, "seed": 0}}


def flow_table(shift=0.0, speed=1.0, margin=1.0, below=True):
    """tan ∠ = e^(−τ), so ζ = 1 − e^(−τ) and, with equality in the growth identity, ln ã = L/2 (1 − e^(−2τ))."""
    tau = np.linspace(0, 2, 401)
    tan = np.exp(-tau) + shift
    return pd.DataFrame(
        {
            "tau": tau,
            "zeta": speed * (1 - np.exp(-tau)),
            "tan": tan,
            "cos": 1 / np.hypot(1, tan),
            "landed": np.isclose(tau % 0.25, 0) & (tau > 0),
            "ln_risk": -np.exp(DEGREE * tau),
            "below": below,
            "smoothed_margin": np.exp(margin * DEGREE / 2 * (1 - np.exp(-2 * tau))),
        }
    )


def layers(drift=0.0):
    """Two layers with ‖W_1‖² − ‖W_2‖² = 1 at the start, and 1 + drift ‖W‖² at the end."""
    rows = []
    for snapshot, (norm, tau) in enumerate([(10.0, 0.0), (100.0, 2.0)]):
        gap = 1 + (drift * norm if snapshot else 0.0)
        for name, square in (("a", (norm + gap) / 2), ("b", (norm - gap) / 2)):
            rows.append({"snapshot": snapshot, "layer": name, "layer_norm": square**0.5, "tau": tau})
    return pd.DataFrame(rows)


def judged(path, table):
    thresholds = identities.Thresholds(violation=0.1, broken=1.0)
    return judging.outcome(identities, [Evidence({"path": path, "layers": table}, RECORD)], thresholds)


def test_identities_that_hold_are_supported_with_what_is_left_of_them():
    outcome = judged(flow_table(), layers())
    assert outcome.verdict == Verdict.SUPPORTED
    assert outcome.value < 0.01


@pytest.mark.parametrize(
    ("path", "table", "named"),
    [
        (flow_table(speed=5.0), layers(), "speed 0.8"),
        (flow_table(), layers(drift=0.3), "balance 0.3"),
        (flow_table(margin=0.7), layers(), "growth 0.4"),
    ],
)
def test_a_violated_identity_is_named_and_never_supported(path, table, named):
    outcome = judged(path, table)
    assert outcome.verdict == Verdict.INCONCLUSIVE
    assert named in outcome.reason


def test_a_broken_identity_contradicts():
    assert judged(flow_table(margin=0.3), layers()).verdict == Verdict.CONTRADICTED


def test_identities_are_not_asked_before_the_assumption_holds():
    assert judged(flow_table(below=False), layers()).verdict == Verdict.INCONCLUSIVE


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
    thresholds = alignment.Thresholds(cos=0.95, stalled=0.995, decay=0.1, tau=1.0, decades=1.0, halving=0.01)
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
    asked_nothing = alignment.Thresholds(cos=0.95, stalled=0.995, decay=0.1, tau=1.0, decades=1.0)
    assert judging.outcome(alignment, [evidence], asked_nothing).verdict == Verdict.SUPPORTED
