"""The registry of claims, config/claims.yaml, read and validated."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any, Literal

from dirconv.errors import UserError
from dirconv.options import did_you_mean, load_yaml, modules, parse, plugin

RULES = "claims.rules"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Claim:
    """One entry of the registry."""

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

    __pydantic_config__ = {"extra": "forbid", "strict": True}

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
    return plugin(RULES, name, where)


def load(path: Path) -> dict[str, Claim]:
    """Every claim by its id, in the file's order; UserError in one line for anything that is wrong."""
    if Path(path).is_dir():
        raise UserError(f"{path}: a folder; `registry` names a file")
    values = load_yaml(path)
    if not isinstance(values, dict) or not values:
        raise UserError(f"{path}: expected a mapping from claim ids to entries")
    claims = {}
    for name, value in values.items():
        where = f"{path}: {name}"
        claim = parse(Claim, value, where)
        parse(rule(claim.rule, f"{where}.rule").Thresholds, claim.thresholds, f"{where}.thresholds")
        if claim.figure not in modules("figures"):
            known = modules("figures")
            raise UserError(f"{where}.figure: unknown {claim.figure!r}{did_you_mean(claim.figure, known)}")
        claims[name] = claim
    return claims


def entry(claim: Claim) -> dict[str, Any]:
    """The entry as plain JSON."""
    return dataclasses.asdict(claim)
