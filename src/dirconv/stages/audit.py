"""Stage `audit`: verdicts and figures → audit.json, audit.md, audit.html; and `check`, which recomputes an audit."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dirconv import artifacts, numerics, report
from dirconv.claims import registry
from dirconv.errors import UserError
from dirconv.figures import Source
from dirconv.provenance import now, versions
from dirconv.stages import _audited, _rows, calibrate
from dirconv.stages import claim as claim_stage
from dirconv.study.resolve import Study
from dirconv.study.validate import load

AUDIT = "audit.json"
DEFAULT = Path("config/digits.yaml")  # the study that needs no --configfile
FROM_ENTRY = ("part", "checks_claim", "title", "source", "statement", "assumptions", "expected", "must_be")


def run(study_file: Path, overrides: str) -> None:
    """Write audit.json, audit.md and audit.html of a study whose claims have all been judged.

    An artifact whose numbers have moved since it was made is marked stale.
    """
    study = load(study_file, _overrides(overrides))
    results = Path(study.results)
    folders = {member: results / "measures" / member for member in study.shown}
    manifests = {member: artifacts.read_manifest(folder) for member, folder in folders.items()}
    stale = {
        member
        for member, manifest in manifests.items()
        if numerics.moved(manifest["made_by"]["numerics"], study.versions(member))
    }
    for member, manifest in manifests.items():  # Snakemake does not know how a clone's artifacts came about
        if member in study.solved and not study.asks_for(member, manifest["specification"]):
            raise UserError(
                f"{folders[member]}: made with other options than {study_file} has now; delete it to run again"
            )
    tables = _rows.tables(manifests, stale)
    trained = {member: manifest for member, manifest in manifests.items() if "trajectory" in manifest}
    first = next(iter(trained.values()), {}).get("trajectory") or next(iter(manifests.values()))
    audit = {
        "study": study.file.study,
        "title": study.file.title,
        "created": now(),
        "version": versions()["dirconv"],
        **{key: first["made_by"][key] for key in ("machine", "versions")},
        "data": tables["data"],
        "results": study.results,
        "registry": study.file.registry,
        "configuration": str(study_file),
        "overrides": {key: value for key, value in _overrides(overrides).items() if key != "images"},
        "command": _command(study, study_file),
        "see_also": [_other(Path(path), study_file) for path in study.file.see_also],
        "runs": tables["runs"],
        "problems": tables["problems"],
        "calibration": artifacts.read_json(results / "calibration.json")["scores"],
        "claims": [_claim(study, name, manifests, stale, study_file) for name in study.claims],
    }
    audit = artifacts.finite(audit)
    artifacts.write_text(results / "audit.md", report.markdown(audit, results))
    artifacts.write_text(results / "audit.html", report.html(audit))
    artifacts.write_json(results / AUDIT, {**audit, "files": _audited.checksums(study)})


def _command(study: Study, study_file: Path, target: str = "") -> str:
    words = [
        "uv run snakemake --cores all",
        target,
        "" if study_file == DEFAULT else f"--configfile {shlex.quote(str(study_file))}",
    ]
    if any(data["source"] == "folder" and data.get("path") is None for data in study.file.data.values()):
        words.append("--config images=PATH")  # where they lie differs from one machine to another
    return " ".join(word for word in words if word)


def _other(path: Path, study_file: Path) -> dict[str, str]:
    """Another study: its title, its results folder, and the command that makes its page."""
    try:
        other = load(path)
    except UserError as error:
        raise UserError(f"{study_file}: see_also: {error}") from error
    title = other.file.title or other.file.study
    return {"title": title, "results": other.results, "command": _command(other, path)}


def _overrides(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError('--set: not JSON; write for instance \'{"device": "cuda"}\'') from error
    if not isinstance(values, dict):
        raise UserError('--set: expected a JSON object, for instance \'{"device": "cuda"}\'')
    return values


def _claim(
    study: Study, name: str, manifests: dict[str, dict[str, Any]], stale: set[str], study_file: Path
) -> dict[str, Any]:
    """A claim or check as audit.json has it: what it says, its verdict, and the evidence."""
    verdict = artifacts.read_json(Path(study.results) / "claims" / f"{name}.json")
    entry = verdict["entry"]
    rule, thresholds = registry.rule(entry["rule"]).RULE, entry["thresholds"]
    figure = f"{study.figures_folder}/{entry['figure']}.png"
    return {
        "id": name,
        **{key: entry[key] for key in FROM_ENTRY},
        **{key: verdict[key] for key in ("verdict", "agrees", "reason", "statistic")},
        **_asked(verdict),
        "judged": rule.judged,
        "thresholds": thresholds,
        "networks": _networks(
            study, [manifests[m] for m in study.inputs(name) if rule.across or m in verdict["seeds"]]
        ),
        "figure": figure,
        "redraw": _command(study, study_file, f"--force {shlex.quote(figure)}"),
        "target": _command(study, study_file, f"claim_{name}"),
        "seeds": verdict["seeds"],
        "stale": sorted(stale & set(study.evidence(name))),
        "evidence": verdict["evidence"],
    }


def _asked(verdict: dict[str, Any]) -> dict[str, Any]:
    """What a verdict's rule finds, in words, how its statistic is written, what it has to be, and what is not met."""
    rule, thresholds = registry.rule(verdict["entry"]["rule"]).RULE, verdict["entry"]["thresholds"]
    return {
        "unmet": verdict.get("unmet", ""),  # verdicts of earlier versions do not say
        "finds": list(rule.finds),
        "against": {
            "symbol": rule.symbol,
            "relation": rule.relation,
            "bound": rule.origin + thresholds[rule.threshold],
            "other": rule.origin + thresholds[rule.other] if rule.other else None,
        },
    }


def _networks(study: Study, manifests: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """The network of each run that these are of, in words, and its data."""
    halved = {claim.halved: claim.runs[0] for claim in study.claims.values() if claim.halved}
    networks = {}
    for manifest in manifests:
        run = manifest["specification"]["run"]
        looser = {**manifest["specification"], "run": halved.get(run, run)}
        name = Source(run, {}, {"specification": looser}).network
        data = manifest.get("data", "")
        networks[run] = {
            "name": f"{name} at half the tolerance" if run in halved else name,
            "data": data["variant"] if isinstance(data, dict) else data,
        }
    return networks


def check(audit_file: Path) -> list[str]:
    """What differs between an audit and what its artifacts say now; empty if nothing does.

    Verifies the checksum of every file that the audit answers for, that each run's measures are its own, judges every
    claim again from them with the thresholds that the registry of the audit's project has now, draws the figures'
    tables again, and scores the rules on the trajectories whose answer is known.
    """
    audit = read(audit_file)
    try:
        project = _project(audit_file, audit)
        claims = registry.load(project / audit["registry"])
        differences = []
        if Path(audit_file).read_bytes() != artifacts.as_text(audit).encode():
            differences.append(f"{audit_file}: not as it was written; restore it")
        if audit.get("calibration") != calibrate.scores(claims):
            differences.append(f"calibration: with the thresholds in {audit['registry']} the rules score otherwise")
        differences += _of_study(audit, project)
        for audited in audit["claims"]:
            found = _differences(audited, claims, audit["registry"], project)
            differences += [f"{audited['id']}: {line}" for line in found]
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        what = f"{type(error).__name__}: {error}"
        raise UserError(
            f"{audit_file}: not an audit as this version writes it ({what}); check it with its own"
        ) from error
    return differences


def _of_study(audit: dict[str, Any], project: Path) -> Iterator[str]:
    """What differs between an audit and its study: claims, the runs that they read, files, rows of runs."""
    configuration, registry_file = project / audit["configuration"], str(project / audit["registry"])
    try:
        study = load(configuration, {**audit.get("overrides", {}), "registry": registry_file})
        if study.results != audit["results"]:
            yield f"results: {configuration} has {study.results}, the audit {audit['results']}"
        if [claim["id"] for claim in audit["claims"]] != list(study.claims):
            yield f"claims: not those that {configuration} asks for ({', '.join(study.claims)})"
        below = {key: str(project / getattr(study.file, key)) for key in ("results", "figures_folder")}
        study = dataclasses.replace(study, file=dataclasses.replace(study.file, **below))
        yield from _audited.differences(audit, study, project)
        for audited in audit["claims"]:
            if audited["id"] in study.claims:
                yield from (f"{audited['id']}: {line}" for line in _of_record(audited, study, audit["results"]))
        folders = {member: Path(study.results) / "measures" / member for member in study.shown}
        manifests = {member: artifacts.read_manifest(folder, verify=False) for member, folder in folders.items()}
        for key, rows in artifacts.finite(_rows.tables(manifests, set())).items():
            if _settled(rows) != _settled(audit[key]):
                yield f"{key}: not what the manifests of the measures say"
    except UserError as error:  # missing or broken; where it is evidence, that is named as well
        yield str(error)


def _settled(rows: dict[str, Any]) -> dict[str, Any]:
    """Runs or problems without what may change after the audit: whether they are stale."""
    return {name: {key: value for key, value in row.items() if key != "stale"} for name, row in rows.items()}


def _of_record(audited: dict[str, Any], study: Study, results: str) -> Iterator[str]:
    """What differs between a claim in an audit, the record of its verdict, and the study's claim.

    results: the study's folder of results, as the audit's paths have it.
    """
    name = audited["id"]
    record, entry = Path(study.outputs("claim", name)[0]), registry.entry(study.claims[name])
    verdict = artifacts.read_json(record)
    asked = artifacts.finite(_asked(verdict))
    said = {**{key: verdict["entry"][key] for key in (*FROM_ENTRY, "thresholds")}, **verdict, **asked}
    for key in (*FROM_ENTRY, "reason", "statistic", "thresholds", "seeds", "evidence", *asked):
        if audited[key] != said[key]:
            yield f"{key} is not as in {record}"
    for key in ("expected", "must_be"):
        if audited[key] != entry[key]:
            yield f"{key} in {study.file.registry} is not that of the audit"
    read = {Path(item["path"]).parent for item in audited["evidence"]}
    needed = {Path(results, "measures", member) for member in study.evidence(name)}
    for folder in sorted(needed ^ read):
        yield f"{folder}: {'not among the evidence' if folder in needed else 'evidence that the study does not name'}"


def read(audit_file: Path) -> dict[str, Any]:
    """The audit in a file; UserError for a folder, or a record of another kind."""
    if Path(audit_file).is_dir():
        raise UserError(f"{audit_file}: a folder; name the {AUDIT} in it")
    audit = artifacts.read_json(audit_file)
    if missing := [key for key in ("study", "registry", "results", "runs", "problems", "claims") if key not in audit]:
        raise UserError(f"{audit_file}: a record, but no audit (it has no {missing[0]!r}); name a study's {AUDIT}")
    return audit


def _project(audit_file: Path, audit: dict[str, Any]) -> Path:
    """The folder of the project that the audit belongs to, '.' if that is the working directory.

    Paths in an audit start from there: it is where the audit's own path ends in the study's results.
    """
    results = Path(audit["results"]).parts
    for audit_path in (Path(os.path.abspath(audit_file)), Path(audit_file).resolve()):
        above = audit_path.parent.parts
        project = Path(*above[: len(above) - len(results)])
        if above[len(above) - len(results) :] == results and (project / audit["registry"]).exists():
            return Path() if project == Path.cwd() else project
    return Path()


def _differences(
    audited: dict[str, Any], claims: dict[str, registry.Claim], registry_file: str, project: Path
) -> Iterator[str]:
    """What differs between a claim in an audit and the same claim judged again."""
    files = {project / item["path"]: item["sha256"] for item in audited["evidence"]}
    broken = [path for path, checksum in files.items() if not path.exists() or artifacts.sha256(path) != checksum]
    if broken:
        yield from (f"{path}: missing or not as it was audited" for path in broken)
        return
    claim = claims.get(audited["id"])
    if claim is None:
        yield f"not in {registry_file}"
        return
    if claim.thresholds != audited["thresholds"]:
        yield f"thresholds in {registry_file} are not those of the audit"
    # all folders that the claim was judged on, those it was compared with included
    folders = list(dict.fromkeys(path.parent for path in files))
    measures = folders[0].parent.parent
    try:
        again = claim_stage.judge(
            audited["id"], claim, measures, [str(folder.relative_to(measures)) for folder in folders]
        )
    except UserError as error:
        yield str(error)
        return
    if again["verdict"] != audited["verdict"]:
        yield f"verdict is {again['verdict']}, the audit says {audited['verdict']}"
    if again["agrees"] != audited["agrees"]:
        yield "agreement with the expectation is not as the audit says"
    for key in ("value", "low", "high"):
        now_is, was = again["statistic"][key], audited["statistic"][key]
        if not _audited.close(now_is, was):
            yield f"statistic's {key} is {now_is}, the audit says {was}"
    if not _audited.close(*(_of_seeds(judged) for judged in (artifacts.finite(again), audited))):
        yield "seeds are not judged as the audit says"


def _of_seeds(judged: dict[str, Any]) -> dict[str, Any]:
    """Verdict and statistic by seed; reasons are in words, which may be put better one day."""
    return {key: {**outcome, "reason": ""} for key, outcome in judged["seeds"].items()}


def expectations(audit_file: Path) -> list[str]:
    """A line for each claim whose verdict is not in its `must_be`: a failed control, a contradicted theorem."""
    audit = read(audit_file)
    return [
        f"{claim['id']}: {claim['verdict']}, must be {' or '.join(claim['must_be'])} ({claim['reason']})"
        for claim in audit["claims"]
        if claim["must_be"] and claim["verdict"] not in claim["must_be"]
    ]
