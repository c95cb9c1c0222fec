"""The registry of claims, config/claims.yaml: reading and validation.

An entry is a claim. Cross-checks of a claim (half the tolerance, another way to measure) stand under its key `checks`
and inherit from it. `load` returns claims and checks side by side, a check right after its claim.
"""

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from dirconv.errors import UserError
from dirconv.options import configurable, did_you_mean, load_yaml, modules, parse, plugin

SHARED = "shared"  # top-level key that is no claim: thresholds under YAML anchors
CHECKS = "checks"
PARTS = {  # in the order in which they are shown
    "paper": "What the paper proves or reports",
    "extension": "Beyond the paper",
    "reviewer": "What the paper's reviewers asked",
    "control": "Controls: what must come out",
}
NOT_IN_A_CHECK = {
    CHECKS: "a check has no checks; make it a claim, or put them under its claim",
    "part": "a check stands in the part of its claim; leave it out",
    "checks_claim": "the claim that it stands under; leave it out",
}
INHERITED = ("part", "source", "assumptions", "runs", "rule", "thresholds", "expected", "figure")


@configurable
class Claim:
    """One entry of the registry: a claim, or a check of a claim."""

    part: Literal["paper", "extension", "reviewer", "control"]
    title: str
    statement: str
    source: str
    assumptions: list[str] = dataclasses.field(default_factory=list)
    runs: list[str]  # names of the study's runs it reads, every seed of each
    halved: str | None = None  # a run that is the first of `runs` at half the tolerance, for at least one of its seeds
    rule: str  # module of dirconv.claims.rules
    thresholds: dict[str, float]  # fixed before the run; the rule's `Thresholds` says what each means
    expected: Literal["supported", "contradicted", "inconclusive", "open"]
    must_be: list[Literal["supported", "contradicted", "inconclusive"]] = dataclasses.field(default_factory=list)
    figure: str  # module of dirconv.figures that shows it
    checks_claim: str | None = None  # of a check: the id of its claim; not written in the file

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables of measures that the rule reads."""
        return rule(self.rule).RULE.tables

    @property
    def table(self) -> str:
        """The first of them."""
        return self.tables[0]


@functools.cache
def rule(name: str, where: str = "rule"):
    """The module of that rule."""
    return plugin("claims.rules", name, where)


def load(path: Path) -> dict[str, Claim]:
    """Every claim and check by its id, in the file's order, a check right after its claim.

    UserError, in one line, for anything that is wrong.
    """
    if Path(path).is_dir():
        raise UserError(f"{path}: a folder; `registry` names a file")
    values = load_yaml(path)
    if not isinstance(values, dict) or not values.keys() - {SHARED}:
        raise UserError(f"{path}: expected a mapping from claim ids to entries")
    claims, figures = {}, modules("figures")
    for name, where, entry in _entries(values, str(path)):
        if name in claims:
            raise UserError(f"{where}: another claim or check has that id; choose another")
        claims[name] = claim = parse(Claim, entry, where)
        parse(rule(claim.rule, f"{where}.rule").Thresholds, claim.thresholds, f"{where}.thresholds")
        if claim.figure not in figures:
            raise UserError(f"{where}.figure: unknown {claim.figure!r}{did_you_mean(claim.figure, figures)}")
    return claims


def _entries(values: dict[str, Any], path: str) -> Iterator[tuple[str, str, Any]]:
    """Id, place and entry of each claim, and of each of its checks with what it inherits."""
    for name, value in values.items():
        where = f"{path}: {name}"
        if name == SHARED:
            continue
        if not isinstance(value, dict):
            raise UserError(f"{where}: expected a mapping of part, title, statement, source, …")
        _refuse(value, where, {"checks_claim": f"put the entry under `{CHECKS}` of the claim that it checks"})
        yield name, where, {key: item for key, item in value.items() if key != CHECKS}
        checks = value.get(CHECKS, {})
        if not isinstance(checks, dict):
            raise UserError(f"{where}.{CHECKS}: expected a mapping from ids to checks")
        inherited = {key: value[key] for key in INHERITED if key in value}
        for check, differing in checks.items():
            place = f"{where}.{CHECKS}.{check}"
            if not isinstance(differing, dict):
                raise UserError(f"{place}: expected a mapping of title, statement and what differs from the claim")
            _refuse(differing, place, NOT_IN_A_CHECK)
            yield check, place, {**inherited, **differing, "checks_claim": name}


def _refuse(entry: dict[str, Any], where: str, reasons: dict[str, str]) -> None:
    for key, why in reasons.items():
        if key in entry:
            raise UserError(f"{where}.{key}: {why}")


def checks(claims: dict[str, Claim], name: str) -> list[str]:
    """The ids of a claim's checks."""
    return [check for check, claim in claims.items() if claim.checks_claim == name]


def entry(claim: Claim) -> dict[str, Any]:
    """The entry as plain JSON."""
    return dataclasses.asdict(claim)
