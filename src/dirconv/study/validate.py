"""Reading a study file: every key, name and reference is validated before anything runs. UserError in one line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from dirconv import problems
from dirconv.claims import halving, registry
from dirconv.errors import UserError
from dirconv.options import did_you_mean, load_yaml, modules, parse, plugin
from dirconv.study.configuration import Problem, Run, StudyFile
from dirconv.study.resolve import Study

NAME = r"[A-Za-z0-9_-][A-Za-z0-9_.-]*"
SIDE = 32  # pixels: what the networks are made for
NUMBERED = ("runs", "problems")  # parts of a study in which no name looks like a number


def load(path: Path, overrides: dict[str, Any] | None = None) -> Study:
    """The study file at `path`; `overrides` replaces top-level keys (as --config KEY=VALUE does)."""
    if Path(path).is_dir():
        raise UserError(f"{path}: a folder; name a study file")
    values = load_yaml(path)
    if not isinstance(values, dict):
        raise UserError(f"{path}: expected a mapping with the keys study, data, runs, problems")
    return validated({**values, **(overrides or {})}, str(path))


def validated(values: dict[str, Any], where: str) -> Study:
    """Validate a study file's content in full."""
    file = parse(StudyFile, {key: _numbers(part) if key in NUMBERED else part for key, part in values.items()}, where)
    _check_names(file, where)
    for name, problem in file.problems.items():
        if name in file.runs:
            raise UserError(f"{where}: problems.{name}: a run has that name already; choose another")
        problems.specification(problem.problem, f"{where}: problems.{name}.problem")
    resolved = Study(file, where, _claims(file, where))
    for name, run in file.runs.items():
        _check_run(resolved, name, run)
    for name in file.data:
        size = resolved.specifications.data(name)["size"]
        if size != SIDE:
            raise UserError(f"{where}: data.{name}.size: the networks are for {SIDE}×{SIDE} images, got {size}")
    for name, claim in resolved.claims.items():
        _check_pair(resolved, name, claim)
    return resolved


def _claims(file: StudyFile, where: str) -> dict[str, registry.Claim]:
    """The claims that the study judges: those it names, or all whose runs it has."""
    entries = registry.load(Path(file.registry))
    known = {**file.runs, **file.problems}
    for name in file.claims or []:
        if name not in entries:
            raise UserError(f"{where}: claims: unknown claim {name!r}{did_you_mean(name, list(entries))}")
        for run in _needed(entries[name]):
            if run not in known:
                raise UserError(f"{where}: claims: {name} reads the run {run!r}, which the study lacks; add it")
            if not _serves(known[run], entries[name]):
                remedy = _remedy(known[run], entries[name])
                raise UserError(f"{where}: claims: {name} reads the run {run!r}; {remedy}")
    claims = {
        name: entries[name]
        for name in (entries if file.claims is None else file.claims)
        if all(run in known and _serves(known[run], entries[name]) for run in _needed(entries[name]))
    }
    if not claims:
        raise UserError(f"{where}: runs: no claim of {file.registry} can be judged on these runs; add one it names")
    return claims


def _needed(claim: registry.Claim) -> list[str]:
    """The runs without which a claim cannot be judged; one at half the tolerance only where the rule is about that."""
    return [*claim.runs, claim.halved] if registry.rule(claim.rule).RULE.paired else claim.runs


def _serves(run: Run | Problem, claim: registry.Claim) -> bool:
    """Whether a run has what the claim reads."""
    if isinstance(run, Problem):
        return set(claim.tables) <= set(problems.tables(run.problem["name"]))
    if claim.table in modules("probes"):
        return claim.table in run.probes
    return run.flow is not None or claim.table == "homogeneity"


def _remedy(run: Run | Problem, claim: registry.Claim) -> str:
    """What a run that does not serve a claim lacks."""
    if isinstance(run, Problem):
        return f"the problem {run.problem['name']!r} does not answer with {', '.join(claim.tables)}; choose another"
    if run.flow is not None:
        return f"give it `probes: [{claim.table}]`"
    return "give it `train` and `flow`"


def _check_run(study: Study, name: str, run: Run) -> None:
    at = f"{study.where}: runs.{name}"
    if run.data not in study.file.data:
        raise UserError(f"{at}.data: unknown data set {run.data!r}{did_you_mean(run.data, list(study.file.data))}")
    if (run.train is None) != (run.flow is None):
        raise UserError(f"{at}: give both `train` and `flow`, or neither (the run is then only checked)")
    if run.flow is not None:
        study.specifications.flow(name, run.seeds[0])
    else:
        study.specifications.network(name, run.seeds[0])
    for probe in run.probes:
        plugin("probes", probe, f"{at}.probes")
    if run.probes and run.flow is None:
        raise UserError(f"{at}.probes: the run is only checked; give it `train` and `flow`, or ask for no probes")
    if run.loss in ("logistic", "polynomial") and study.specifications.outputs(run) > 1:
        raise UserError(f"{at}.loss: {run.loss} is for two classes; use cross_entropy")


def _check_pair(study: Study, name: str, claim: registry.Claim) -> None:
    """A run at half the tolerance has to be the claim's first run with exactly half the tolerance."""
    runs = study.file.runs
    if claim.halved is None or claim.halved not in runs or claim.runs[0] not in runs:
        return
    common = [seed for seed in runs[claim.runs[0]].seeds if seed in runs[claim.halved].seeds]
    if not common or runs[claim.runs[0]].flow is None or runs[claim.halved].flow is None:
        return
    whole, half = (study.specifications.flow(run, common[0]) for run in (claim.runs[0], claim.halved))
    why = halving.is_half(whole, half)
    if why:
        raise UserError(f"{study.where}: runs.{claim.halved}: {name} takes it for {claim.runs[0]} at half: {why}")


def _numbers(value: Any) -> Any:
    """The same with numbers for texts like 1e-5: YAML 1.1 takes those for text, having no point."""
    if isinstance(value, dict):
        return {key: _numbers(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_numbers(part) for part in value]
    return float(value) if isinstance(value, str) and re.fullmatch(r"[-+]?\d+[eE][-+]?\d+", value) else value


def _check_names(file: StudyFile, where: str) -> None:
    """Names become folders and words of commands."""
    named = (("study", [file.study]), ("runs", file.runs), ("problems", file.problems), ("data", file.data))
    for key, names in named:
        for name in names:
            if not re.fullmatch(NAME, name):
                raise UserError(f"{where}: {key}: {name!r} is no name; use letters, digits, -, _ and . (not first)")
