"""Judging a claim: from its evidence by member to an outcome for each member, or seed, and the verdict over seeds.

Before a rule sees its evidence, a run is paired with the same run at half the tolerance, runs are grouped, and what the
rule asks for (see `rules.Rule`) is checked: assumption and degree. Then tables begin at the first step with ℒ < ℓ(0),
and τ and ζ count from there. Reads no files.
"""

import dataclasses
from types import ModuleType
from typing import Any

from dirconv.claims import Evidence, Outcome, inconclusive, over_seeds, registry
from dirconv.claims.halving import is_half
from dirconv.claims.rules import Rule
from dirconv.errors import UserError
from dirconv.goals import GOALS
from dirconv.options import parse

NUMERICS = 1
GOES_THROUGH = ("halving",)


def judge(name: str, claim: registry.Claim, evidence: dict[str, Evidence]) -> tuple[dict[str, Outcome], Outcome]:
    """Outcomes by member, or by seed for a rule with `across`, and the verdict over seeds.

    evidence: by member, e.g. alexnet/seed0, those at half the tolerance included. UserError where nothing can be
    judged, or where a run is not what the claim says: the same at half the tolerance.
    """
    module = registry.rule(claim.rule)
    thresholds = parse(module.Thresholds, claim.thresholds, f"{name}.thresholds")
    across = module.RULE.across
    groups: dict[str, list[Evidence]] = {}
    for member, run in (evidence if across else _paired(name, claim, module.RULE, evidence)).items():
        groups.setdefault(member.partition("/")[2] if across else member, []).append(run)
    if not groups:
        looser, half = claim.runs[0], claim.halved
        raise UserError(f"claim {name}: no seed of {looser} is also one of {half}; give them one in common")
    outcomes = {key: outcome(module, runs, thresholds) for key, runs in groups.items()}
    return outcomes, over_seeds(list(outcomes.values()))


def outcome(module: ModuleType, runs: list[Evidence], thresholds: Any) -> Outcome:
    """The answer of a rule's module for one run, or for all of one seed where it judges across runs."""
    rule = module.RULE
    if reason := next(filter(None, (_unmet(rule, run) for run in runs)), ""):
        return inconclusive(reason)
    if rule.assumption:
        runs = [_cut(run) for run in runs]
        if any(run is None for run in runs):
            return inconclusive("no snapshot is left after ℒ < ℓ(0) was reached")
    return module.judge(runs if rule.across else runs[0], thresholds)


def _paired(name: str, claim: registry.Claim, rule: Rule, evidence: dict[str, Evidence]) -> dict[str, Evidence]:
    """Every run that is judged, with its pairs. Runs at half the tolerance are judged in pairs only."""
    pairs = {}
    for member, half in evidence.items():
        run, _, seed = member.partition("/")
        looser = f"{claim.runs[0]}/{seed}"
        if run == claim.halved and looser in evidence:
            if why_not := is_half(evidence[looser].record["specification"], half.record["specification"]):
                raise UserError(f"claim {name}: {member} is not {looser} at half the tolerance: {why_not}")
            pairs[looser] = (evidence[looser], half)
    return {
        member: dataclasses.replace(run, pairs=(pairs[member],) if rule.paired else tuple(pairs.values()))
        for member, run in evidence.items()
        if (member in pairs if rule.paired else member.partition("/")[0] != claim.halved)
    }


def _unmet(rule: Rule, run: Evidence) -> str:
    """Why the rule says nothing of a run, or ''."""
    if rule.assumption:
        if not run.tables["path"]["below"].iloc[-1]:
            return "the assumption ℒ < ℓ(0) is not met: the run ended before it"
        if run.record["stop"] not in GOALS:
            return f"the run did not reach its goal (it stopped on {run.record['stop']})"
    if rule.degree and run.record["specification"]["degree"] is None:
        return "the network has no degree: f(cW) = c^L f(W) is declared for no L"
    return ""


def _cut(run: Evidence) -> Evidence | None:
    """The same from the first step with ℒ < ℓ(0), where τ and ζ are set to zero. Pairs stay uncut.

    None where that leaves a table of snapshots without a row.
    """
    path, tables = run.tables["path"], {}
    first = int(path["below"].to_numpy().argmax())
    start = path["tau"].iloc[first]
    if first == start == path["zeta"].iloc[0] == 0:
        return run
    for name, table in run.tables.items():
        # a table with a column `below` of its own holds other paths than the run's, and its rule cuts it
        if {"snapshot", "tau"} <= set(table) and "below" not in table:
            after = table[table["tau"] >= start]
            if after.empty and not table.empty:
                return None
            table = after.assign(tau=after["tau"] - start)
        tables[name] = table
    path = path.iloc[first:]
    tables["path"] = path.assign(**{column: path[column] - path[column].iloc[0] for column in ("tau", "zeta")})
    return dataclasses.replace(run, tables=tables)
