"""Stage `audit`: verdicts and figures → audit.json, audit.md, audit.html; and `check`, which recomputes an audit."""

from __future__ import annotations

import json
import math
import os
import shlex
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dirconv import artifacts, numerics, report
from dirconv.claims import registry
from dirconv.errors import UserError
from dirconv.figures import Source
from dirconv.provenance import now, versions
from dirconv.stages import calibrate
from dirconv.stages import claim as claim_stage
from dirconv.study.resolve import Study
from dirconv.study.validate import load

AUDIT = "audit.json"
DEFAULT = Path("config/digits.yaml")  # the study that needs no --configfile
FROM_ENTRY = ("part", "checks_claim", "title", "source", "statement", "assumptions", "expected", "must_be")
RELATIVE = 1e-9  # to which a recomputed statistic must agree: another machine's libm may differ in the last digits


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
    solved = {member: manifest for member, manifest in manifests.items() if member in study.solved}
    for member, manifest in solved.items():  # Snakemake does not know how a clone's artifacts came about
        today = artifacts.finite(study.job("problem", study.solved[member][0]).spec["problem"])
        if manifest["specification"]["problem"] != today:
            raise UserError(
                f"{folders[member]}: made with other options than {study_file} has now; delete it to run again"
            )
    trained = {member: manifest for member, manifest in manifests.items() if "trajectory" in manifest}
    first = next(iter(trained.values()), {}).get("trajectory") or next(iter(manifests.values()))
    audit = {
        "study": study.file.study,
        "title": study.file.title,
        "created": now(),
        "version": versions()["dirconv"],
        **{key: first["made_by"][key] for key in ("machine", "versions")},
        "data": {manifest["specification"]["run"]: manifest["data"] for manifest in trained.values()},
        "results": study.results,
        "registry": study.file.registry,
        "configuration": str(study_file),
        "command": _command(study, study_file),
        "see_also": [_other(Path(path), study_file) for path in study.file.see_also],
        "runs": {member: _run(manifest, member in stale) for member, manifest in trained.items()},
        "problems": _problems(solved, stale),
        "calibration": artifacts.read_json(results / "calibration.json")["scores"],
        "claims": [_claim(study, name, manifests, stale, study_file) for name in study.claims],
    }
    artifacts.write_json(results / "audit.json", audit)
    audit = artifacts.read_json(results / "audit.json")
    artifacts.write_text(results / "audit.md", report.markdown(audit, results))
    artifacts.write_text(results / "audit.html", report.html(audit))


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
    except ValueError as error:
        raise UserError('--set: not JSON; write for instance \'{"device": "cuda"}\'') from error
    if not isinstance(values, dict):
        raise UserError('--set: expected a JSON object, for instance \'{"device": "cuda"}\'')
    return values


def _run(manifest: dict[str, Any], stale: bool) -> dict[str, Any]:
    spec = manifest["specification"]
    return {
        **{key: spec[key] for key in ("model", "degree", "loss", "seed")},
        "method": spec["flow"],
        **{key: manifest[key] for key in ("stop", "summary")},
        **{key: manifest["trajectory"]["made_by"][key] for key in ("machine", "created")},
        "stale": stale,
    }


def _problems(manifests: dict[str, dict[str, Any]], stale: set[str]) -> dict[str, dict[str, Any]]:
    """A row a problem: the medians over its seeds."""
    rows: dict[str, dict[str, Any]] = {}
    for run in dict.fromkeys(manifest["specification"]["run"] for manifest in manifests.values()):
        seeds = {member: m for member, m in manifests.items() if m["specification"]["run"] == run}
        first = next(iter(seeds.values()))
        rows[run] = {
            **{key: first["specification"][key] for key in ("problem", "degree", "loss")},
            "data": first["data"],
            **{key: first["made_by"][key] for key in ("machine", "created")},
            "seeds": [manifest["specification"]["seed"] for manifest in seeds.values()],
            "stops": [manifest["stop"] for manifest in seeds.values()],
            "stale": not stale.isdisjoint(seeds),
            "median": {
                key: _median([manifest["summary"][key] for manifest in seeds.values()]) for key in first["summary"]
            },
        }
    return rows


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


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
        "unmet": verdict.get("unmet", ""),  # verdicts of earlier versions do not say
        "finds": list(rule.finds),
        "judged": rule.judged,
        "against": {  # how the statistic is written, and what it has to be
            "symbol": rule.symbol,
            "relation": rule.relation,
            "bound": rule.origin + thresholds[rule.threshold],
            "other": rule.origin + thresholds[rule.other] if rule.other else None,
        },
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

    Verifies the checksum of every piece of evidence, judges every claim again from the measures, and the trajectories
    whose answer is known, with the thresholds that the registry of the audit's project has now.
    """
    audit = read(audit_file)
    try:
        project = _project(audit_file, audit)
        claims = registry.load(project / audit["registry"])
        differences = []
        if audit.get("calibration") != calibrate.scores(claims):
            differences.append(f"calibration: with the thresholds in {audit['registry']} the rules score otherwise")
        for audited in audit["claims"]:
            found = _differences(audited, claims, audit["registry"], project)
            differences += [f"{audited['id']}: {line}" for line in found]
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        what = f"{type(error).__name__}: {error}"
        raise UserError(
            f"{audit_file}: not an audit as this version writes it ({what}); check it with its own"
        ) from error
    return differences


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
        if not _close(now_is, was):
            yield f"statistic's {key} is {now_is}, the audit says {was}"


def _close(first: float | None, second: float | None) -> bool:
    if first is None or second is None:
        return first is second
    return math.isclose(first, second, rel_tol=RELATIVE, abs_tol=1e-12)


def expectations(audit_file: Path) -> list[str]:
    """A line for each claim whose verdict is not in its `must_be`: a failed control, a contradicted theorem."""
    audit = read(audit_file)
    return [
        f"{claim['id']}: {claim['verdict']}, must be {' or '.join(claim['must_be'])} ({claim['reason']})"
        for claim in audit["claims"]
        if claim["must_be"] and claim["verdict"] not in claim["must_be"]
    ]
