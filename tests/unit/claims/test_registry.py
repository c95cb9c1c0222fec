"""The registry of claims: the project's own is valid, and each mistake is one line that names it."""

import re
from pathlib import Path

import pytest
import yaml

from dirconv.claims import registry
from dirconv.errors import UserError
from dirconv.options import modules, plugin

REGISTRY = Path(__file__).parents[3] / "config" / "claims.yaml"


def test_the_registry_itself_is_valid():
    claims = registry.load(REGISTRY)
    written = yaml.safe_load(REGISTRY.read_text())
    assert list(claims) == [
        name for key, entry in written.items() if key != "shared" for name in (key, *entry.get("checks", []))
    ]
    tables = {*modules("measures"), *modules("probes"), "homogeneity"}
    for problem in modules("problems"):
        tables |= set(plugin("problems", problem, "problem").TABLES)
    for name, claim in claims.items():
        module = registry.rule(claim.rule)
        assert module.RULE.threshold in claim.thresholds, name
        assert claim.tables == module.RULE.tables
        assert claim.table == module.RULE.tables[0]
        assert {*module.RULE.tables, *module.RULE.beside} <= tables
        assert module.Thresholds(**claim.thresholds)
        assert registry.entry(claim)["thresholds"] == claim.thresholds


@pytest.mark.parametrize("name", modules("claims.rules"))
def test_every_rule_says_what_it_reads_and_names(name):
    module = registry.rule(name)
    rule = module.RULE
    assert rule.tables and rule.statistic
    assert rule.threshold in module.Thresholds.__dataclass_fields__
    assert not rule.assumption or rule.tables[0] == "path"
    assert "Supported" in rule.judged and "Contradicted" in rule.judged and "`" not in rule.judged
    for threshold in module.Thresholds.__dataclass_fields__:
        assert threshold in rule.judged


ENTRY = {
    "part": "paper",
    "title": "A claim",
    "statement": "It is so.",
    "source": "here",
    "runs": ["alexnet"],
    "rule": "direction",
    "thresholds": {
        **{"exponent": 1, "slow": 0.75, "remaining": 0.3, "tau": 1.0, "decades": 1.0},
        **{"slow_tau": 20.0, "slow_decades": 1.5},
    },
    "expected": "supported",
    "figure": "path_length",
}


def written(folder, value, **options):
    path = folder / "claims.yaml"
    path.write_text(value if isinstance(value, str) else yaml.safe_dump(value, **options))
    return path


def test_an_entry_is_read(tmp_path):
    claim = registry.load(written(tmp_path, {"c": ENTRY}))["c"]
    assert registry.entry(claim) == {**ENTRY, "assumptions": [], "must_be": [], "halved": None, "checks_claim": None}


CHECK = {"title": "A check", "statement": "It is so by another way.", "rule": "path_length"}


def test_a_check_stands_after_its_claim_and_inherits_from_it(tmp_path):
    claim = {**ENTRY, "must_be": ["supported"], "halved": "alexnet_half", "checks": {"d": CHECK}}
    own = {**CHECK, "runs": ["other"], "expected": "open", "must_be": ["inconclusive"]}
    claims = registry.load(written(tmp_path, {"c": claim, "a": {**ENTRY, "checks": {"b": own}}}, sort_keys=False))
    assert list(claims) == ["c", "d", "a", "b"]
    assert registry.checks(claims, "c") == ["d"]
    assert registry.checks(claims, "d") == []
    # a verdict that must hold, and a run to pair with, are the claim's own
    assert registry.entry(claims["d"]) == {
        **{**ENTRY, **CHECK, "checks_claim": "c", "assumptions": [], "must_be": [], "halved": None}
    }
    assert registry.entry(claims["b"]) == {**{**ENTRY, **own, "checks_claim": "a", "assumptions": [], "halved": None}}


def test_thresholds_are_shared_by_anchors(tmp_path):
    text = """
shared:
  limit: &limit {exponent: 1, slow: 0.75, remaining: 0.3, tau: 1.0, decades: 1.0, slow_tau: 20.0,
    slow_decades: 1.5}
c: &claim {part: paper, title: t, statement: s, source: h, runs: [r], rule: direction, thresholds: *limit,
  expected: open, figure: path_length}
d: {<<: *claim, rule: lyu_li, thresholds: {<<: *limit, violation: 0.05}}
"""
    claims = registry.load(written(tmp_path, text))
    assert list(claims) == ["c", "d"]
    assert claims["d"].thresholds == {**claims["c"].thresholds, "violation": 0.05}


def test_the_registry_reads_like_the_paper():
    claims = registry.load(REGISTRY)
    parts = [claim.part for claim in claims.values()]
    assert parts == sorted(parts, key=list(registry.PARTS).index), "entries stand in the order of their parts"
    titles = [claim.title for claim in claims.values()]
    assert len(set(titles)) == len(titles)
    for name, claim in claims.items():
        for text in (claim.title, claim.statement, claim.source):
            assert not re.search(r"\b([Aa]s|claim) above\b|^(And|Do they|Does it)\b", text), f"{name} leans on another"
        assert name.startswith("control_") <= (claim.part == "control")
        if claim.part == "control":
            assert claim.expected in claim.must_be, f"{name}: a control says what must come out"
            assert re.search(r"\bmust\b", claim.title), f"{name}: a control is stated by what must come out"


def without(key):
    return {k: v for k, v in ENTRY.items() if k != key}


def thresholds(**changes):
    values = {**ENTRY["thresholds"], **changes}
    return {**ENTRY, "thresholds": {k: v for k, v in values.items() if v != "-"}}


@pytest.mark.parametrize(
    ("entry", "where"),
    [
        ({**ENTRY, "titel": "x"}, "c.titel: unknown key; did you mean 'title'?"),
        (without("title"), "c.title: missing"),
        (without("rule"), "c.rule: missing"),
        ({**ENTRY, "rule": "directon"}, "c.rule: unknown 'directon'; did you mean 'direction'?"),
        ({**ENTRY, "rule": "_common"}, "c.rule: unknown '_common'"),
        (thresholds(exponant=1.0), "c.thresholds.exponant: unknown key; did you mean 'exponent'?"),
        (thresholds(tau="-"), "c.thresholds.tau: missing"),
        (thresholds(tau="long"), "c.thresholds.tau: "),
        ({**ENTRY, "thresholds": [1]}, "c.thresholds: "),
        ({**ENTRY, "figure": "path_lenght"}, "c.figure: unknown 'path_lenght'; did you mean 'path_length'?"),
        ({**ENTRY, "expected": "true"}, "c.expected: "),
        ({**ENTRY, "must_be": ["open"]}, "c.must_be.0: "),
        ({**ENTRY, "must_be": "supported"}, "c.must_be: "),
        ({**ENTRY, "runs": "alexnet"}, "c.runs: "),
        ({**ENTRY, "runs": [1]}, "c.runs.0: "),
        ("text", "c: expected a mapping of part, title, statement"),
        (without("part"), "c.part: missing"),
        ({**ENTRY, "part": "papers"}, "c.part: "),
        ({**ENTRY, "checks_claim": "good"}, "c.checks_claim: put the entry under `checks` of the claim that it checks"),
        ({**ENTRY, "checks": ["d"]}, "c.checks: expected a mapping from ids to checks"),
        ({**ENTRY, "checks": {"d": "text"}}, "c.checks.d: expected a mapping of title"),
        ({**ENTRY, "checks": {"d": {**CHECK, "checks": {"e": CHECK}}}}, "c.checks.d.checks: a check has no checks"),
        ({**ENTRY, "checks": {"d": {**CHECK, "part": "paper"}}}, "c.checks.d.part: a check stands in the part of its"),
        ({**ENTRY, "checks": {"d": {**CHECK, "checks_claim": "c"}}}, "c.checks.d.checks_claim: "),
        ({**ENTRY, "checks": {"d": {**CHECK, "ruel": "x"}}}, "c.checks.d.ruel: unknown key; did you mean 'rule'?"),
        ({**ENTRY, "checks": {"d": {"statement": "x"}}}, "c.checks.d.title: missing"),
        ({**ENTRY, "checks": {"c": CHECK}}, "c.checks.c: another claim or check has that id"),
        ({**ENTRY, "checks": {"good": CHECK}}, ""),
    ],
)
def test_an_entry_that_is_wrong_is_one_line_that_names_it(tmp_path, entry, where):
    path = written(tmp_path, {"good": ENTRY, "c": entry})
    with pytest.raises(UserError) as caught:
        registry.load(path)
    assert str(caught.value).startswith(f"{path}: {where}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "twice"),
    [
        ("a: {b: 1}\nc: 1\na: {b: 2}\n", "line 3: the key 'a'"),
        ("a:\n  b: {x: 1, y: 2,\n    x: 1}\n", "line 3: the key 'x'"),
        ("a:\n  - {x: 1}\n  - {x: 1, x: 2}\n", "line 3: the key 'x'"),
        ("a: &a {checks: {d: 1}}\nb: *a\nc:\n  checks:\n    d: 1\n    d: 1\n", "line 6: the key 'd'"),
    ],
)
def test_a_key_that_is_there_twice_is_one_line_that_names_it(tmp_path, content, twice):
    path = written(tmp_path, content)
    with pytest.raises(UserError) as caught:
        registry.load(path)
    assert str(caught.value).startswith(f"{path}: {twice} is there twice, first in line ")


@pytest.mark.parametrize("content", ["", "[]", "3", "{}", "a: [", "- a\n- b", "shared: {a: 1}"])
def test_a_file_that_is_no_registry_is_one_line_that_names_it(tmp_path, content):
    path = written(tmp_path, content)
    with pytest.raises(UserError) as caught:
        registry.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_registry_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match="not found"):
        registry.load(tmp_path / "none.yaml")
