"""Stage `claim`: the measures that a claim reads → its verdict."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from dirconv import artifacts
from dirconv.claims import Evidence, Outcome, ensemble, registry
from dirconv.errors import UserError
from dirconv.options import did_you_mean, parse
from dirconv.stages._provenance import made_by


def judge(name: str, claim: registry.Claim, measures: Path, members: list[str]) -> dict[str, Any]:
    """The claim's verdict on each member (a folder below `measures`) and on all of them together."""
    if not members:
        raise UserError(f"claim {name}: the study follows no run that it reads ({', '.join(claim.runs)})")
    rule = registry.rule(claim.rule)
    thresholds = parse(rule.Thresholds, claim.thresholds, f"{name}.thresholds")
    found, evidence = {}, []
    for member in members:
        folder = measures / member
        record = artifacts.read_manifest(folder)
        tables = {table: artifacts.read_table(folder / f"{table}.parquet") for table in claim.tables}
        found[member] = Evidence(tables, record)
        files = [f"{table}.parquet" for table in claim.tables] + [artifacts.MANIFEST]
        evidence += [{"path": str(folder / file), "sha256": artifacts.sha256(folder / file)} for file in files]
    if getattr(rule, "ACROSS", False):
        outcomes = {
            seed: rule.judge_across([one for member, one in found.items() if _seed(member) == seed], thresholds)
            for seed in dict.fromkeys(map(_seed, found))
        }
    else:
        outcomes = _each(claim, found, rule, thresholds)
    if not outcomes:
        raise UserError(
            f"claim {name}: no seed of {claim.runs[0]} is also one of {claim.halved}; give them one in common"
        )
    whole = ensemble(list(outcomes.values()))
    return {
        "id": name,
        "verdict": whole.verdict,
        "agrees": None if claim.expected == "open" else whole.verdict == claim.expected,
        "reason": whole.reason,
        "statistic": {
            "name": rule.STATISTIC,
            "value": whole.value,
            "low": whole.low,
            "high": whole.high,
            "threshold": claim.thresholds[rule.THRESHOLD],
        },
        "seeds": {member: dataclasses.asdict(outcome) for member, outcome in outcomes.items()},
        "evidence": evidence,
    }


def _each(claim: registry.Claim, found: dict[str, Evidence], rule: Any, thresholds: Any) -> dict[str, Outcome]:
    """The rule's answer for every run and seed, but not for those at half the tolerance, which only go with others."""
    halvings = tuple(
        (found[f"{claim.runs[0]}/{_seed(member)}"], half)
        for member, half in found.items()
        if _run(member) == claim.halved and f"{claim.runs[0]}/{_seed(member)}" in found
    )
    paired = getattr(rule, "PAIRED", False)
    return {
        member: rule.judge(dataclasses.replace(one, halvings=halvings), thresholds)
        for member, one in found.items()
        if _run(member) != claim.halved and (not paired or any(pair[0] is one for pair in halvings))
    }


def _run(member: str) -> str:
    return member.partition("/")[0]


def _seed(member: str) -> str:
    return member.partition("/")[2]


def run(name: str, registry_file: Path, measures: Path, members: list[str], out: Path) -> None:
    """Write the verdict with the registry's entry to `out` (JSON)."""
    claims = registry.load(registry_file)
    if name not in claims:
        raise UserError(f"--claim: unknown claim {name!r}{did_you_mean(name, list(claims))}")
    entry = registry.entry(claims[name])
    verdict = judge(name, claims[name], measures, members)
    artifacts.write_json(out, {**verdict, "entry": entry, "made_by": made_by("claim", entry)})
