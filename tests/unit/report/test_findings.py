"""The first lines of a claim: network, finding, statistic against its threshold, and what blocked a verdict."""

from __future__ import annotations

from typing import Any

import pytest

from dirconv.claims import registry
from dirconv.options import modules
from dirconv.report import _finding
from dirconv.report._strip import WIDTH, strip


def statistic(value=1.5, low=1.4, high=1.6, relation="above", bound=1.0, other=None) -> dict[str, Any]:
    return {
        **{"name": "exponent", "symbol": "P", "value": value, "low": low, "high": high},
        **{"relation": relation, "bound": bound, "other": other},
    }


def entry(verdict="supported", verdicts=("supported",) * 3, **changes: Any) -> dict[str, Any]:
    return {
        "part": "paper",
        "verdict": verdict,
        "agrees": verdict == "supported",
        "fails": False,
        "must_be": [],
        "expected": "supported",
        "reason": "0.2 rad left",
        "unmet": "",
        "finds": ["the direction converges", "the direction does not converge"],
        "networks": {"alexnet": {"name": "AlexNet", "data": "CIFAR-10, JPEG copy"}},
        "seeds": {f"alexnet/seed{i}": {"verdict": verdict} for i, verdict in enumerate(verdicts)},
        "statistic": statistic(),
        **changes,
    }


def said(**changes: Any) -> str:
    parts = _finding.finding(entry(**changes))
    return f"{parts['subject']}: {parts['clause']}. {parts['statistic']}"


def test_a_finding_names_network_data_and_seeds_and_says_how_the_interval_lies():
    assert said() == "AlexNet on CIFAR-10, 3 seeds: the direction converges. P = 1.5 [1.4, 1.6], above 1"


def test_a_contradiction_says_how_many_runs_contradict():
    text = said(verdict="contradicted", verdicts=("supported", "contradicted", "inconclusive"))
    assert text.startswith("AlexNet on CIFAR-10, 1 of 3 seeds: the direction does not converge.")


def test_an_undecided_claim_says_which_clause_is_not_met_and_of_how_many_runs():
    undecided = entry("inconclusive", ("supported", "inconclusive", "inconclusive"), unmet="P above 1")
    found = _finding.finding(undecided)
    assert found["clause"] == "undecided whether the direction converges"
    assert found["because"] == "2 of 3 runs decide nothing: not met is “P above 1”; 0.2 rad left"


def test_networks_are_named_while_they_are_few():
    few = {name: {"name": name, "data": ""} for name in ("linear", "relu")}
    assert said(networks=few).startswith("linear and ReLU, 3 runs: ")
    many = {str(i): {"name": f"width {i}", "data": f"{i} digits"} for i in range(4)}
    assert said(networks=many).startswith("4 networks, 3 runs: ")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "above 1"),
        ({"low": 0.9}, "only partly above 1"),
        ({"value": 0.5, "low": 0.4, "high": 1.0}, "not above 1"),
        ({"value": 1.0, "low": 1.0, "high": 1.0, "relation": "at least"}, "at least 1"),
        ({"value": 1.0, "low": None, "high": None, "relation": "at most"}, "at most 1"),
        ({"value": 1.0, "low": None, "high": None, "relation": "below"}, "not below 1"),
        ({"relation": "between", "bound": 0.75, "other": 1.25}, "not between 0.75 and 1.25"),
        ({"relation": "between", "bound": 0.75, "other": 1.6}, "between 0.75 and 1.6"),
    ],
)
def test_the_relation_to_the_threshold_is_that_of_the_whole_interval(changes, said):
    text = _finding.finding(entry("inconclusive", statistic=statistic(**changes)))["statistic"]
    assert text.endswith(f", {said}")


def test_a_threshold_that_is_met_is_not_said_of_a_contradiction():
    # descent that was given up after as many steps as would have been allowed
    met = statistic(value=1000.0, low=None, high=None, relation="at most", bound=1000.0)
    assert _finding.finding(entry("contradicted", statistic=met))["statistic"] == "P = 1,000, to be at most 1,000"


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, "expected"),
        ({"verdict": "contradicted"}, "surprising"),
        ({"verdict": "inconclusive"}, "undecided"),
        ({"agrees": None, "expected": "open"}, "answered"),
        ({"part": "control", "verdict": "inconclusive"}, "control"),
    ],
)
def test_kinds_of_what_came_out(changes, kind):
    assert _finding.kind(entry(**changes)) == kind


def test_every_rule_says_what_it_finds():
    for name in modules("claims.rules"):
        rule = registry.rule(name).RULE
        assert all(rule.finds) and rule.finds[0] != rule.finds[1], name
        thresholds = registry.rule(name).Thresholds.__dataclass_fields__
        assert rule.threshold in thresholds and (not rule.other or rule.other in thresholds), name
        assert (rule.relation == "between") <= bool(rule.other), name
        assert rule.symbol[0].isupper() or len(rule.symbol.split()[0]) <= 6, name


def test_a_strip_keeps_the_order_of_its_numbers():
    drawn = strip(statistic(value=0.9, low=0.5, high=1.6))
    assert 0 < drawn["low"] < drawn["value"] < drawn["bound"] < drawn["high"] < WIDTH
    assert drawn["supports"] == (drawn["bound"], round(WIDTH - drawn["bound"], 1))
    assert not drawn["logarithmic"]


def test_a_strip_over_decades_is_logarithmic():
    drawn = strip(statistic(value=1e-14, low=1e-15, high=1e-12, relation="at most", bound=1e-6))
    assert drawn["logarithmic"]
    # a decade is as long everywhere
    decade = drawn["value"] - drawn["low"]
    assert drawn["bound"] - drawn["high"] == pytest.approx(6 * decade, abs=0.5)
    assert drawn["supports"] == (0.0, drawn["bound"])


@pytest.mark.parametrize("bound", [0.0, 1.5, -2.0])
def test_a_strip_of_one_number_has_room(bound):
    drawn = strip(statistic(value=bound, low=None, high=None, bound=bound))
    assert 0 < drawn["value"] == drawn["bound"] < WIDTH


def test_a_strip_between_two_thresholds_is_tinted_between_them():
    drawn = strip(statistic(relation="between", bound=0.75, other=1.25))
    start, length = drawn["supports"]
    assert start == drawn["bound"] and start + length < drawn["low"]


def test_nothing_measured_draws_no_strip():
    assert strip(statistic(value=None, low=None, high=None)) is None
