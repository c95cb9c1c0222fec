"""Stage `claim`: the measures that a claim reads → its verdict."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from dirconv import artifacts
from dirconv.claims import Evidence, Outcome, judging, registry
from dirconv.errors import UserError
from dirconv.options import require_known
from dirconv.stages._output import made_by


def judge(name: str, claim: registry.Claim, measures: Path, members: list[str]) -> dict[str, Any]:
    """The claim's verdict on each member, a folder below `measures`, and over all seeds, as plain values.

    Among `members` may be folders of probes, alexnet/kkt-seed0, whose table the rule reads beside a run's own.
    """
    if not members:
        raise UserError(f"claim {name}: the study follows no run that it reads ({', '.join(claim.runs)})")
    rule = registry.rule(claim.rule).RULE
    evidence, beside, files = {}, {}, []
    for member in members:
        folder = measures / member
        record = artifacts.read_manifest(folder)
        run, _, seed = member.partition("/")
        probe = next((name for name in rule.beside if seed.startswith(f"{name}-seed")), "")
        known = [name for name in rule.beside if f"{name}.parquet" in record["files"]]
        tables = artifacts.read_tables(folder, [probe] if probe else [*claim.tables, *known])
        if probe:
            beside.setdefault(f"{run}/{seed.removeprefix(f'{probe}-')}", {}).update(tables)
        else:
            evidence[member] = Evidence(tables, record)
        files += [folder / file for file in (*(f"{table}.parquet" for table in tables), artifacts.MANIFEST)]
    for member in beside.keys() & evidence.keys():
        evidence[member].tables.update(beside[member])
    outcomes, whole = judging.judge(name, claim, evidence)
    statistic = {"name": rule.statistic, **{key: getattr(whole, key) for key in ("value", "low", "high")}}
    return {
        "id": name,
        "verdict": whole.verdict,
        "agrees": None if claim.expected == "open" else whole.verdict == claim.expected,
        "reason": whole.reason,
        "unmet": whole.unmet,
        "statistic": {**statistic, "threshold": claim.thresholds[rule.threshold]},
        "seeds": {key: _recorded(outcome) for key, outcome in outcomes.items()},
        "evidence": [{"path": str(file), "sha256": artifacts.sha256(file)} for file in files],
    }


def _recorded(outcome: Outcome) -> dict[str, Any]:
    """An outcome as plain values; what is not met is said of the whole claim only."""
    return {key: value for key, value in dataclasses.asdict(outcome).items() if key != "unmet"}


def run(name: str, registry_file: Path, measures: Path, members: list[str], out: Path) -> None:
    """Write the verdict, with the registry's entry, to `out` (JSON)."""
    claims = registry.load(registry_file)
    require_known(name, claims, "--claim", "claim ")
    entry = registry.entry(claims[name])
    verdict = judge(name, claims[name], measures, members)
    artifacts.write_json(out, {**verdict, "entry": entry, "made_by": made_by("claim", entry)})
