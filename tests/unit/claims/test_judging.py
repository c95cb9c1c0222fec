"""What is done once before a rule sees its evidence: pairs, grouping by seed, assumption, degree and cut."""

import copy
import dataclasses
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from dirconv.claims import Evidence, Outcome, Verdict, judging, registry
from dirconv.claims.halving import is_half
from dirconv.claims.rules import Rule
from dirconv.errors import UserError
from dirconv.goals import GOALS, StopReason
from dirconv.options import modules
from dirconv.study import validate

REGISTRY = registry.load("config/claims.yaml")
SPECIFICATION = {
    "run": "alexnet",
    "seed": 0,
    "model": {"name": "alexnet", "width": 0.25},
    "degree": 6,
    "loss": "logistic",
    "train": {"learning_rate": 0.02},
    "flow": {"method": "proximal", "tolerance": 0.0125, "largest_step": 0.2, "land": 0.25},
    "stop": {"steps": 1000, "tau": 3.25},
    "threads": 2,
}


def changed(**changes):
    """The specification at half the tolerance, with other values at these keys (flow__land for flow.land)."""
    half = copy.deepcopy(SPECIFICATION)
    half["run"], half["flow"]["tolerance"] = "alexnet_half", 0.00625
    for key, value in changes.items():
        part, *inner = key.split("__")
        if inner:
            half[part][inner[0]] = value
        else:
            half[part] = value
    return half


# pairs


def test_the_same_flow_at_half_the_tolerance_is_a_pair():
    assert is_half(SPECIFICATION, changed()) == ""
    assert is_half(SPECIFICATION, changed(run="any other name")) == ""


@pytest.mark.parametrize(
    ("half", "message"),
    [
        (changed(flow__tolerance=0.0125), "flow.tolerance: 0.0125 is not half of 0.0125"),
        (changed(flow__tolerance=0.00626), "flow.tolerance: 0.00626 is not half of 0.0125"),
        (changed(flow__tolerance=0.025), "flow.tolerance: 0.025 is not half of 0.0125"),
        (changed(flow__land=0.5), "flow.land: 0.25 and 0.5 differ"),
        (changed(flow__slack=0.1), "flow.slack: None and 0.1 differ"),
        (changed(seed=1), "seed: 0 and 1 differ"),
        (changed(stop={"steps": 1000, "tau": 2.0}), "stop.tau: 3.25 and 2.0 differ"),
        (changed(model={"name": "alexnet", "width": 0.5}), "model.width: 0.25 and 0.5 differ"),
        (changed(threads=1), "threads: 2 and 1 differ"),
        (changed(flow={"method": "sgd"}), "flow.tolerance: alexnet_half has none"),
        ({"run": "densenet", "problem": {}}, "flow.tolerance: densenet has none"),
    ],
)
def test_another_difference_is_named_in_one_line(half, message):
    assert is_half(SPECIFICATION, half) == message
    assert is_half(half, half)


@pytest.mark.parametrize("study", ["config/digits.yaml", "config/cifar10-small.yaml", "config/cifar10.yaml"])
def test_runs_of_a_study_file_are_pairs_too(study):
    resolved = validate.load(study)
    for seed in resolved.file.runs["alexnet_half"].seeds:
        pair = (resolved.specifications.flow(name, seed) for name in ("alexnet", "alexnet_half"))
        assert is_half(*pair) == ""


def run(specification, angle=0.0, stop="tau"):
    """A run to τ = 2 whose direction is turned by `angle`, landing at every quarter of τ."""
    tau = np.linspace(0, 8, 9)
    columns = {"tau": tau, "zeta": 1 - np.exp(-tau), "tan": 0.04, "cos": 0.999, "landed": tau > 0, "below": True}
    path = pd.DataFrame(columns)
    values = [np.cos(angle), np.sin(angle), 0.0]
    parts = [pd.DataFrame({"tau": t, "landed": True, "bucket": range(3), "value": values}) for t in tau[1:]]
    return Evidence({"path": path, "sketch": pd.concat(parts)}, {"stop": stop, "specification": specification})


def test_a_run_is_paired_with_the_same_seed_at_half_the_tolerance():
    evidence = {
        "alexnet/seed0": run(SPECIFICATION),
        "alexnet/seed1": run({**SPECIFICATION, "seed": 1}),
        "alexnet/seed2": run({**SPECIFICATION, "seed": 2}),
        "alexnet_half/seed1": run(changed(seed=1), angle=0.005),
        "alexnet_half/seed2": run(changed(seed=2), angle=0.05),
    }
    outcomes, whole = judging.judge("integration_converged", REGISTRY["integration_converged"], evidence)
    assert list(outcomes) == ["alexnet/seed1", "alexnet/seed2"]
    assert [outcome.value for outcome in outcomes.values()] == pytest.approx([0.005, 0.05])
    assert whole.verdict == Verdict.INCONCLUSIVE


def test_a_rule_without_pairs_of_its_own_sees_all_of_them_and_judges_no_run_at_half_the_tolerance():
    evidence = {
        "alexnet/seed0": run(SPECIFICATION),
        "alexnet/seed1": run({**SPECIFICATION, "seed": 1}),
        "alexnet_half/seed1": run(changed(seed=1)),
    }
    evidence["alexnet_half/seed1"].tables["path"]["cos"] = 0.9
    outcomes, _ = judging.judge("alignment_alexnet", REGISTRY["alignment_alexnet"], evidence)
    assert list(outcomes) == ["alexnet/seed0", "alexnet/seed1"]
    assert all("halving the tolerance moves" in outcome.reason for outcome in outcomes.values())


@pytest.mark.parametrize("claim", ["integration_converged", "alignment_alexnet"])
@pytest.mark.parametrize(
    ("half", "key"), [(changed(flow__tolerance=0.0125), "flow.tolerance"), (changed(flow__land=0.5), "flow.land")]
)
def test_two_runs_that_are_no_pair_are_refused(claim, half, key):
    """At the same tolerance two runs agree by themselves: the claim would come out supported."""
    evidence = {"alexnet/seed0": run(SPECIFICATION), "alexnet_half/seed0": run(half)}
    with pytest.raises(UserError) as caught:
        judging.judge(claim, REGISTRY[claim], evidence)
    message = f"claim {claim}: alexnet_half/seed0 is not alexnet/seed0 at half the tolerance: {key}"
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


def test_no_seed_in_common_is_refused():
    evidence = {"alexnet/seed0": run(SPECIFICATION), "alexnet_half/seed1": run(changed(seed=1))}
    with pytest.raises(UserError, match="no seed of alexnet is also one of alexnet_half"):
        judging.judge("integration_converged", REGISTRY["integration_converged"], evidence)


# assumption, degree and cut


def plugin(**options):
    """A rule that supports whatever it is shown, and tells what that is."""
    shown = []

    def judge(evidence, thresholds):
        shown.append(evidence)
        return Outcome(Verdict.SUPPORTED)

    rule = Rule(
        tables=("path",), statistic="", symbol="", threshold="", relation="above", finds=("", ""), judged="", **options
    )
    return SimpleNamespace(RULE=rule, judge=judge), shown


def flow(below, stop="tau", degree=2, **tables):
    tau = np.array([0.0, 0.5, 0.25, 1.0, 2.0])
    path = pd.DataFrame({"tau": tau, "zeta": 3 * tau, "below": below})
    return Evidence({"path": path, **tables}, {"stop": stop, "specification": {"degree": degree}})


ALWAYS, NEVER, LATE = [True] * 5, [True] * 4 + [False], [False, True, False, True, True]


@pytest.mark.parametrize("stop", list(StopReason))
def test_a_run_is_judged_where_it_reached_any_goal(stop):
    module, shown = plugin()
    outcome = judging.outcome(module, [flow(ALWAYS, stop)], None)
    assert (outcome.verdict == Verdict.SUPPORTED) == bool(shown) == (stop in GOALS)
    assert shown or stop in outcome.reason


def test_cos_and_tail_are_goals():
    assert {"tau", "log_inverse_risk", "steps", "cos", "tail"} == set(GOALS)


@pytest.mark.parametrize(
    ("options", "evidence", "reason"),
    [
        ({}, flow(NEVER), "ℒ < ℓ(0) is not met"),
        ({}, flow(ALWAYS, "precision"), "stopped on precision"),
        ({"degree": True}, flow(ALWAYS, degree=None), "no degree"),
        ({"assumption": False, "degree": True}, flow(NEVER, degree=None), "no degree"),
        ({"degree": True}, flow(NEVER, degree=None), "ℒ < ℓ(0) is not met"),
        ({"assumption": False}, flow(NEVER, "precision", degree=None), None),
        ({}, flow(ALWAYS, degree=None), None),
    ],
)
def test_a_rule_says_nothing_where_what_it_needs_is_missing(options, evidence, reason):
    module, shown = plugin(**options)
    outcome = judging.outcome(module, [evidence], None)
    if reason is None:
        assert outcome.verdict == Verdict.SUPPORTED and len(shown) == 1
    else:
        assert outcome.verdict == Verdict.INCONCLUSIVE and reason in outcome.reason and not shown


def test_what_a_rule_sees_begins_where_the_assumption_first_holds():
    snapshots = pd.DataFrame({"snapshot": [0, 1, 2, 3], "tau": [0.0, 0.5, 1.0, 2.0], "x": [1.0, 2.0, 3.0, 4.0]})
    other_paths = snapshots.assign(below=True)
    no_snapshots = snapshots.drop(columns="snapshot")
    pair = (flow(LATE), flow(LATE))
    evidence = flow(LATE, snapshots=snapshots, losses=other_paths, descents=no_snapshots)
    module, shown = plugin()
    judging.outcome(module, [dataclasses.replace(evidence, pairs=(pair,))], None)
    tables = shown[0].tables
    assert tables["path"]["tau"].tolist() == [0.0, -0.25, 0.5, 1.5]  # rows above ℓ(0) that follow count
    assert tables["path"]["zeta"].tolist() == [0.0, -0.75, 1.5, 4.5]
    assert tables["snapshots"]["tau"].tolist() == [0.0, 0.5, 1.5]
    assert tables["snapshots"]["x"].tolist() == [2.0, 3.0, 4.0]
    assert tables["losses"] is other_paths and tables["descents"] is no_snapshots
    assert shown[0].pairs == (pair,)
    assert evidence.tables["path"]["tau"].iloc[0] == 0.0 and len(evidence.tables["path"]) == 5


def test_a_run_without_a_snapshot_after_the_start_decides_nothing():
    snapshots = pd.DataFrame({"snapshot": [0], "tau": [0.0]})
    module, shown = plugin()
    outcome = judging.outcome(module, [flow(LATE, snapshots=snapshots)], None)
    assert outcome.verdict == Verdict.INCONCLUSIVE and "no snapshot" in outcome.reason and not shown
    assert judging.outcome(module, [flow(LATE, snapshots=snapshots.iloc[:0])], None).verdict == Verdict.SUPPORTED


def test_where_the_run_starts_below_nothing_moves():
    evidence = flow(ALWAYS)
    module, shown = plugin()
    judging.outcome(module, [evidence], None)
    pd.testing.assert_frame_equal(shown[0].tables["path"], evidence.tables["path"], check_exact=True)


def test_a_rule_without_the_assumption_sees_whole_tables():
    evidence = flow(LATE)
    module, shown = plugin(assumption=False)
    judging.outcome(module, [evidence], None)
    assert shown == [evidence]


def test_a_rule_across_runs_says_nothing_where_one_run_does_not_meet_the_assumption():
    module, shown = plugin(across=True)
    assert judging.outcome(module, [flow(ALWAYS), flow(NEVER)], None).verdict == Verdict.INCONCLUSIVE
    assert judging.outcome(module, [flow(ALWAYS), flow(LATE)], None).verdict == Verdict.SUPPORTED
    assert [len(run.tables["path"]) for run in shown[0]] == [5, 4]


NEEDS_DEGREE = {"decomposition", "desingularized", "homogeneity", "identities", "lyu_li", "risk", "smoothed_margin"}
NEEDS_DEGREE |= {"kkt", "support"}
NEEDS_NO_ASSUMPTION = {"classified", "homogeneity", "kkt", "late_radius", "support", "width_slope"}


def test_rules_ask_for_what_their_statements_assume():
    rules = {name: registry.rule(name).RULE for name in modules("claims.rules")}
    assert {name for name, rule in rules.items() if rule.degree} == NEEDS_DEGREE
    assert {name for name, rule in rules.items() if not rule.assumption} == NEEDS_NO_ASSUMPTION
    assert {name for name, rule in rules.items() if rule.paired} == {"integration"}
    assert {name for name, rule in rules.items() if rule.across} == {"width_slope"}
