"""Stage `audit`: verdicts and figures → audit.json, audit.md, audit.html; and `check`, which recomputes an audit."""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path
from typing import Any

from dirconv import artifacts, numerics, report
from dirconv.claims import registry
from dirconv.errors import UserError
from dirconv.provenance import now, versions
from dirconv.stages import calibrate
from dirconv.stages import claim as claim_stage
from dirconv.study.resolve import Study
from dirconv.study.validate import load

DEFAULT = Path("config/digits.yaml")  # the study that needs no --configfile
RELATIVE = 1e-9  # to which a recomputed statistic must agree: another machine's libm may differ in the last digits


def run(study_file: Path, overrides: str) -> None:
    """Write audit.json, audit.md and audit.html of a study whose claims have all been judged.

    An artifact whose numbers have moved since it was made is marked stale.
    """
    study = load(study_file, _overrides(overrides))
    results = Path(study.results)
    folders = {member: results / "measures" / member for member in study.shown}
    manifests = {member: artifacts.read_manifest(folder) for member, folder in folders.items()}
    stale = {member for member, manifest in manifests.items() if moved(manifest, study.versions(member))}
    for member, (name, _) in study.solved.items():  # Snakemake does not know how a clone's artifacts came about
        today = artifacts.finite(study.job("problem", name).spec["problem"])
        if member in manifests and manifests[member]["specification"]["problem"] != today:
            raise UserError(
                f"{folders[member]}: made with other options than {study_file} has now; delete it to run again"
            )
    trained = {member: manifest for member, manifest in manifests.items() if "trajectory" in manifest}
    first = next(iter(trained.values()), {}).get("trajectory") or next(iter(manifests.values()))
    origin = first["made_by"]
    audit = {
        "study": study.file.study,
        "title": study.file.title,
        "created": now(),
        "version": versions()["dirconv"],
        "machine": origin["machine"],
        "versions": origin["versions"],
        "data": {manifest["specification"]["run"]: manifest["data"] for manifest in trained.values()},
        "results": study.results,
        "registry": study.file.registry,
        "configuration": str(study_file),
        "command": _command(study, study_file),
        "see_also": [_other(Path(path), study_file) for path in study.file.see_also],
        "runs": {member: _run(manifest, member in stale) for member, manifest in trained.items()},
        "problems": _problems({member: m for member, m in manifests.items() if member in study.solved}, stale),
        "calibration": artifacts.read_json(results / "calibration.json")["scores"],
        "claims": [_claim(study, name, stale, study_file) for name in study.claims],
    }
    artifacts.write_json(results / "audit.json", audit)
    audit = artifacts.read_json(results / "audit.json")
    artifacts.write_text(results / "audit.md", report.markdown(audit, results))
    artifacts.write_text(results / "audit.html", report.html(audit))


def _command(study: Study, study_file: Path, target: str = "") -> str:
    words = ["uv run snakemake --cores all", target, "" if study_file == DEFAULT else f"--configfile {study_file}"]
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


def moved(manifest: dict[str, Any], today: dict[str, int]) -> list[str]:
    """The parts whose numbers have moved since these measures, or anything that they were made from, were made."""
    return numerics.moved(manifest["made_by"]["numerics"], today)


def _run(manifest: dict[str, Any], stale: bool) -> dict[str, Any]:
    spec = manifest["specification"]
    return {
        "model": spec["model"],
        "degree": spec["degree"],
        "loss": spec["loss"],
        "seed": spec["seed"],
        "method": spec["flow"],
        "stop": manifest["stop"],
        "summary": manifest["summary"],
        **{key: manifest["trajectory"]["made_by"][key] for key in ("machine", "created")},
        "stale": stale,
    }


def _problems(manifests: dict[str, dict[str, Any]], stale: set[str]) -> dict[str, dict[str, Any]]:
    """A row a problem: the medians over its seeds."""
    found: dict[str, dict[str, Any]] = {}
    for member, manifest in manifests.items():
        spec = manifest["specification"]
        row = found.setdefault(
            spec["run"],
            {
                **{key: spec[key] for key in ("problem", "degree", "loss")},
                "data": manifest["data"],
                **{key: manifest["made_by"][key] for key in ("machine", "created")},
                "seeds": [],
                "stops": [],
                "summaries": [],
                "stale": False,
            },
        )
        row["seeds"].append(spec["seed"])
        row["stops"].append(manifest["stop"])
        row["summaries"].append(manifest["summary"])
        row["stale"] |= member in stale
    for row in found.values():
        summaries = row.pop("summaries")
        row["median"] = {
            key: statistics.median(known) if (known := [s[key] for s in summaries if s[key] is not None]) else None
            for key in summaries[0]
        }
    return found


def _claim(study: Study, name: str, stale: set[str], study_file: Path) -> dict[str, Any]:
    """A claim or check as audit.json has it: what it says, its verdict, and the evidence."""
    verdict = artifacts.read_json(Path(study.results) / "claims" / f"{name}.json")
    entry = verdict["entry"]
    return {
        "id": name,
        **{key: entry[key] for key in ("part", "checks_claim", "title", "source", "statement", "assumptions")},
        **{key: entry[key] for key in ("expected", "must_be")},
        **{key: verdict[key] for key in ("verdict", "agrees", "reason", "statistic")},
        "judged": registry.rule(entry["rule"]).RULE.judged,
        "thresholds": entry["thresholds"],
        "figure": f"{study.figures_folder}/{entry['figure']}.png",
        "target": _command(study, study_file, f"claim_{name}"),
        "seeds": verdict["seeds"],
        "stale": sorted(stale & set(study.inputs(name))),
        "evidence": verdict["evidence"],
    }


def check(audit_file: Path) -> list[str]:
    """What differs between an audit and what its artifacts say now; empty if nothing does.

    Verifies the checksum of every piece of evidence, judges every claim again from the measures, and the trajectories
    whose answer is known, with the thresholds that the registry has now.
    """
    audit = artifacts.read_json(audit_file)
    claims = registry.load(Path(audit["registry"]))
    differences = []
    if audit.get("calibration") != calibrate.scores(claims):
        differences.append(f"calibration: with the thresholds in {audit['registry']} the rules score otherwise")
    for claimed in audit["claims"]:
        name = claimed["id"]
        broken = [
            item["path"]
            for item in claimed["evidence"]
            if not Path(item["path"]).exists() or artifacts.sha256(Path(item["path"])) != item["sha256"]
        ]
        if broken:
            differences += [f"{name}: {path}: missing or not as it was audited" for path in broken]
            continue
        if name not in claims:
            differences.append(f"{name}: not in {audit['registry']}")
            continue
        if claims[name].thresholds != claimed["thresholds"]:
            differences.append(f"{name}: thresholds in {audit['registry']} are not those of the audit")
        measures, members = _members(claimed)
        try:
            again = claim_stage.judge(name, claims[name], measures, members)
        except UserError as error:
            differences.append(f"{name}: {error}")
            continue
        if again["verdict"] != claimed["verdict"]:
            differences.append(f"{name}: verdict is {again['verdict']}, the audit says {claimed['verdict']}")
        if again["agrees"] != claimed["agrees"]:
            differences.append(f"{name}: agreement with the expectation is not as the audit says")
        for key in ("value", "low", "high"):
            found, said = again["statistic"][key], claimed["statistic"][key]
            if not _close(found, said):
                differences.append(f"{name}: statistic's {key} is {found}, the audit says {said}")
    return differences


def _members(claimed: dict[str, Any]) -> tuple[Path, list[str]]:
    """The folder of measures and all below it that the claim was judged on, those it was compared with included."""
    folders = list(dict.fromkeys(Path(item["path"]).parent for item in claimed["evidence"]))
    measures = folders[0].parent.parent
    return measures, [str(folder.relative_to(measures)) for folder in folders]


def _close(first: float | None, second: float | None) -> bool:
    if first is None or second is None:
        return first is second
    return math.isclose(first, second, rel_tol=RELATIVE, abs_tol=1e-12)


def expectations(audit_file: Path) -> list[str]:
    """A line for each claim whose verdict is not in its `must_be`: a failed control, a contradicted theorem."""
    audit = artifacts.read_json(audit_file)
    return [
        f"{claim['id']}: {claim['verdict']}, must be {' or '.join(claim['must_be'])} ({claim['reason']})"
        for claim in audit["claims"]
        if claim["must_be"] and claim["verdict"] not in claim["must_be"]
    ]
