"""Rules about identities of the flow and of the network: each can hold, be violated, or not be asked."""

import math

import numpy as np
import pandas as pd
import pytest
from evidence import CONTRADICTED, INCONCLUSIVE, RECORD, SUPPORTED, flow_table, judged

from dirconv.claims import Evidence, Verdict, judging
from dirconv.claims.rules import decomposition, homogeneity, identities

# identities along the flow


def layers(drift=0.0):
    """Two layers with ‖W_1‖² − ‖W_2‖² = 1 at the start, and 1 + drift ‖W‖² at the end."""
    rows = []
    for snapshot, (norm, tau) in enumerate([(10.0, 0.0), (100.0, 2.0)]):
        gap = 1 + (drift * norm if snapshot else 0.0)
        for name, square in (("a", (norm + gap) / 2), ("b", (norm - gap) / 2)):
            rows.append({"snapshot": snapshot, "layer": name, "layer_norm": square**0.5, "tau": tau})
    return pd.DataFrame(rows)


def judged_identities(path, table):
    thresholds = identities.Thresholds(violation=0.1, broken=1.0)
    return judging.outcome(identities, [Evidence({"path": path, "layers": table}, RECORD)], thresholds)


def test_identities_that_hold_are_supported_with_what_is_left_of_them():
    outcome = judged_identities(flow_table(), layers())
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
    outcome = judged_identities(path, table)
    assert outcome.verdict == Verdict.INCONCLUSIVE
    assert named in outcome.reason


def test_a_broken_identity_contradicts():
    assert judged_identities(flow_table(margin=0.3), layers()).verdict == Verdict.CONTRADICTED


def test_identities_are_not_asked_before_the_assumption_holds():
    assert judged_identities(flow_table(below=False), layers()).verdict == Verdict.INCONCLUSIVE


# both sides of the decomposition

THRESHOLDS = decomposition.Thresholds(difference=1e-6, broken=1e-3, resolution=1e-7)


def judged_sides(differences, resolutions, degree=6, below=True, stop="tau"):
    table = pd.DataFrame({"difference": differences, "resolution": resolutions})
    table["snapshot"], table["tau"], table["quantity"] = range(len(table)), 0.1 * table.index, "path_length"
    path = pd.DataFrame({"tau": [0.0], "zeta": [0.0], "below": [below]})
    record = {"stop": stop, "specification": {"degree": degree}}
    return judging.outcome(decomposition, [Evidence({"path": path, "decomposition": table}, record)], THRESHOLDS)


@pytest.mark.parametrize(
    ("differences", "resolutions", "verdict", "value"),
    [
        ([1e-14, 1e-7, 1e-9], [1e-12] * 3, Verdict.SUPPORTED, 1e-7),
        ([1e-14, 0.5, 1e-9], [1e-12] * 3, Verdict.CONTRADICTED, 0.5),
        ([1e-14, 1e-4, 1e-9], [1e-12] * 3, Verdict.INCONCLUSIVE, 1e-4),
        ([1e-14, 1e-9, 0.5], [1e-12, 1e-9, 1e-6], Verdict.SUPPORTED, 1e-9),  # not resolved where they differ
        ([1e-14], [1e-6], Verdict.INCONCLUSIVE, None),
        ([], [], Verdict.INCONCLUSIVE, None),
        ([1e-14, np.nan], [1e-12] * 2, Verdict.INCONCLUSIVE, None),
    ],
)
def test_the_largest_difference_where_margins_are_resolved_decides(differences, resolutions, verdict, value):
    found = judged_sides(differences, resolutions)
    assert (found.verdict, found.value) == (verdict, value)


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"degree": None}, "no degree"), ({"below": False}, "not met"), ({"stop": "stalled"}, "stalled")],
)
def test_where_the_theorem_says_nothing_the_rule_does_not(options, reason):
    found = judged_sides([0.5], [1e-12], **options)
    assert found.verdict == Verdict.INCONCLUSIVE
    assert reason in found.reason


# homogeneity


@pytest.mark.parametrize(
    ("deviations", "verdict", "value"),
    [
        ([1e-15, 3e-14, 0.0], SUPPORTED, 3e-14),
        ([1e-15, 0.4, 1e-14], CONTRADICTED, 0.4),
        ([1e-15, 1e-4, 1e-14], INCONCLUSIVE, 1e-4),
    ],
)
def test_homogeneity(deviations, verdict, value):
    table = pd.DataFrame({"scale": [0.5, 2.0, 4.0], "deviation": deviations})
    found = judged(homogeneity, None, {"supported": 1e-6, "contradicted": 1e-3}, homogeneity=table)
    assert (found.verdict, found.value) == (verdict, value)
    assert "c = 2" in found.reason


@pytest.mark.parametrize("deviations", [[1e-15, math.nan, 1e-15], [math.nan] * 3])
def test_a_deviation_that_is_no_number_supports_nothing(deviations):
    table = pd.DataFrame({"scale": [0.5, 2.0, 4.0], "deviation": deviations})
    found = judged(homogeneity, None, {"supported": 1e-6, "contradicted": 1e-3}, homogeneity=table)
    assert found.verdict != SUPPORTED


def test_homogeneity_of_a_network_without_a_degree_is_open():
    table = pd.DataFrame({"scale": [2.0], "deviation": [1e-15]})
    found = judged(homogeneity, None, {"supported": 1e-6, "contradicted": 1e-3}, degree=None, homogeneity=table)
    assert found.verdict == INCONCLUSIVE
    assert "no degree" in found.reason
