"""Reading a study file: every key, name and reference is validated before anything runs. UserError in one line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from dirconv import flow, models, problems
from dirconv.claims import halving, registry
from dirconv.errors import UserError
from dirconv.options import load_yaml, modules, parse, require_known
from dirconv.study.configuration import Problem, Run, StudyFile
from dirconv.study.resolve import Study

NAME = r"[A-Za-z0-9_-][A-Za-z0-9_.-]*"
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
    study = Study(file, where, _claims(file, where))
    for name, run in file.runs.items():
        _check_run(study, name, run)
    for name in file.data:
        _check_data(study, name)
    for name, claim in study.claims.items():
        _check_pair(study, name, claim)
    return study


def _claims(file: StudyFile, where: str) -> dict[str, registry.Claim]:
    """The claims that the study judges: those it names, or all whose runs it has."""
    entries = registry.load(Path(file.registry))
    known = {**file.runs, **file.problems}
    claims = {}
    for name in entries if file.claims is None else file.claims:
        require_known(name, entries, f"{where}: claims", "claim ")
        claim = entries[name]
        # one at half the tolerance is needed only where the rule is about that
        needed = [*claim.runs, claim.halved] if registry.rule(claim.rule).RULE.paired else claim.runs
        lacking = [f"{run!r}{remedy}" for run in needed if (remedy := _remedy(known.get(run), claim))]
        if not lacking:
            claims[name] = claim
        elif file.claims is not None:
            raise UserError(f"{where}: claims: {name} reads the run {lacking[0]}")
    if not claims:
        raise UserError(f"{where}: runs: no claim of {file.registry} can be judged on these runs; add one it names")
    return claims


def _remedy(run: Run | Problem | None, claim: registry.Claim) -> str:
    """What to change where a run lacks what the claim reads; empty if it lacks nothing."""
    if run is None:
        return ", which the study lacks; add it"
    if isinstance(run, Problem):
        if set(claim.tables) <= set(problems.tables(run.problem["name"])):
            return ""
        return f"; the problem {run.problem['name']!r} does not answer with {', '.join(claim.tables)}; choose another"
    if claim.table == "homogeneity" or claim.table in run.probes:
        return ""
    if run.flow is None:
        return "; give it `train` and `flow`"
    return f"; give it `probes: [{claim.table}]`" if claim.table in modules("probes") else ""


def _check_run(study: Study, name: str, run: Run) -> None:
    at = f"{study.where}: runs.{name}"
    require_known(run.data, study.file.data, f"{at}.data", "data set ")
    if (run.train is None) != (run.flow is None):
        raise UserError(f"{at}: give both `train` and `flow`, or neither (the run is then only checked)")
    specification = study.specifications.network if run.flow is None else study.specifications.flow
    specification(name, run.seeds[0])
    if run.flow is not None:
        method = flow.specification(run.flow, f"{at}.flow")
        coupled = models.specification(run.model, f"{at}.model").coupled and not run.frozen
        if why := flow.refusal(method, coupled):
            raise UserError(f"{at}.flow.method: {why}")
    for probe in run.probes:  # by name: importing a probe takes torch
        require_known(probe, modules("probes"), f"{at}.probes")
    if run.probes and run.flow is None:
        raise UserError(f"{at}.probes: the run is only checked; give it `train` and `flow`, or ask for no probes")
    if run.loss in ("logistic", "polynomial") and study.specifications.outputs(run) > 1:
        raise UserError(f"{at}.loss: {run.loss} is for two classes; use cross_entropy")


def _check_data(study: Study, name: str) -> None:
    """The options of a data set, and that the networks take its images."""
    size = study.specifications.data(name)["size"]
    for at, run in study.file.runs.items():
        side = models.specification(run.model, f"{study.where}: runs.{at}.model").side if run.data == name else None
        if side is not None and size != side:
            what = f"{run.model['name']} is for {side}×{side} images"
            raise UserError(f"{study.where}: data.{name}.size: runs.{at}: {what}, got {size}")


def _check_pair(study: Study, name: str, claim: registry.Claim) -> None:
    """A run at half the tolerance has to be the claim's first run with exactly half the tolerance."""
    first, half, followed = claim.runs[0], claim.halved, study.members.values()
    common = [seed for run, seed in followed if run == first and (half, seed) in followed]
    if common and (why := halving.is_half(*(study.specifications.flow(run, common[0]) for run in (first, half)))):
        raise UserError(f"{study.where}: runs.{half}: {name} takes it for {first} at half: {why}")


def _numbers(value: Any) -> Any:
    """The same with numbers for texts like 1e-5: YAML 1.1 takes those for text, having no point."""
    if isinstance(value, dict):
        return {key: _numbers(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_numbers(part) for part in value]
    return float(value) if isinstance(value, str) and re.fullmatch(r"[-+]?\d+[eE][-+]?\d+", value) else value


def _check_names(file: StudyFile, where: str) -> None:
    """Names become folders and words of commands."""
    for key in ("study", "runs", "problems", "data"):
        for name in [file.study] if key == "study" else getattr(file, key):
            if not re.fullmatch(NAME, name):
                raise UserError(f"{where}: {key}: {name!r} is no name; use letters, digits, -, _ and . (not first)")
    for key in ("results", "figures_folder", "registry"):  # other signs are quoted
        if not re.fullmatch(r"[^-{}\x00-\x1f\x7f][^{}\x00-\x1f\x7f]*", path := getattr(file, key)):
            raise UserError(f"{where}: {key}: {path!r} is no path here; leave out {{, }}, line breaks and a first -")
