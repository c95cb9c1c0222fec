"""Stage `audit`: verdicts and figures → audit.json, audit.md, audit.html; and `check`, which recomputes an audit."""

from __future__ import annotations

import inspect
import json
import math
import statistics
from pathlib import Path
from typing import Any

from dirconv import artifacts, report
from dirconv.claims import registry
from dirconv.errors import UserError
from dirconv.provenance import equivalents, now, versions
from dirconv.stages import calibrate, resolve
from dirconv.stages import claim as claim_stage

DEFAULT = Path("config/digits.yaml")  # the study that needs no --configfile
RELATIVE = 1e-9  # to which a recomputed statistic must agree: another machine's libm may differ in the last digits


def run(study_file: Path, overrides: str) -> None:
    """Write audit.json, audit.md and audit.html of a study, all of whose claims have been judged.

    An artifact that other code than today's made is marked stale.
    """
    resolved = resolve.load(study_file, _overrides(overrides))
    results = Path(resolved.results)
    folders = {member: results / "measures" / member for member in resolved.shown}
    manifests = {member: artifacts.read_manifest(folder) for member, folder in folders.items()}
    stale = {member for member, manifest in manifests.items() if _stale(manifest, resolved.code(member))}
    for member, (name, _) in resolved.solved.items():  # Snakemake does not know how a clone's artifacts came about
        today = artifacts.finite(resolved.problem_specification(name)["problem"])
        if member in manifests and manifests[member]["specification"]["problem"] != today:
            raise UserError(
                f"{folders[member]}: made with other options than {study_file} has now; delete it to run again"
            )
    trained = {member: manifest for member, manifest in manifests.items() if "trajectory" in manifest}
    first = next(iter(trained.values()), {}).get("trajectory") or next(iter(manifests.values()))
    audit = {
        "study": resolved.study.study,
        "title": resolved.study.title,
        "created": now(),
        "version": versions()["dirconv"],
        "machine": first["machine"],
        "versions": first["versions"],
        "data": {manifest["specification"]["run"]: manifest["data"] for manifest in trained.values()},
        "results": resolved.results,
        "registry": resolved.study.registry,
        "configuration": str(study_file),
        "command": _command(resolved, study_file),
        "see_also": [_other(Path(path), study_file) for path in resolved.study.see_also],
        "runs": {member: _run(manifest, member in stale) for member, manifest in trained.items()},
        "problems": _problems({member: m for member, m in manifests.items() if member in resolved.solved}, stale),
        "calibration": artifacts.read_json(results / "calibration.json")["scores"],
        "claims": [_claim(resolved, name, stale, study_file) for name in resolved.claims],
    }
    artifacts.write_json(results / "audit.json", audit)
    audit = artifacts.read_json(results / "audit.json")
    artifacts.write_text(results / "audit.md", report.markdown(audit, results))
    artifacts.write_text(results / "audit.html", report.html(audit))


def _command(resolved: resolve.Resolved, study_file: Path, target: str = "") -> str:
    words = ["uv run snakemake --cores all", target, "" if study_file == DEFAULT else f"--configfile {study_file}"]
    if any(data["source"] == "folder" and data.get("path") is None for data in resolved.study.data.values()):
        words.append("--config images=PATH")  # where they lie differs from one machine to another
    return " ".join(word for word in words if word)


def _other(path: Path, study_file: Path) -> dict[str, str]:
    """Another study, and where its page is, or would be."""
    try:
        other = resolve.load(path)
    except UserError as error:
        raise UserError(f"{study_file}: see_also: {error}") from error
    title = other.study.title or other.study.study
    return {"title": title, "results": other.results, "command": _command(other, path)}


def _overrides(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except ValueError as error:
        raise UserError('--set: not JSON; write for instance \'{"device": "cuda"}\'') from error
    if not isinstance(values, dict):
        raise UserError('--set: expected a JSON object, for instance \'{"device": "cuda"}\'')
    return values


def _stale(manifest: dict[str, Any], today: dict[str, str]) -> bool:
    """Whether today's code is not the code that made these measures, or anything that they were made from."""
    return any(made != today[stage].split("-")[0] for stage, made in codes(manifest).items())


def codes(manifest: dict[str, Any]) -> dict[str, str]:
    """By stage, the code that made a folder of measures and what they were made from, by the hash that it goes by.

    Without the version of torch: the page names it, and another one does not make a result stale.
    """
    problem = "problem" in manifest["specification"]
    kinds = {"problem": problem, "probe": "probe" in manifest["specification"], "measure": "trajectory" in manifest}
    stage = next((kind for kind, is_one in kinds.items() if is_one), "homogeneity")
    made = {key: code.split("-")[0] for key, code in {**manifest.get("made_by", {}), stage: manifest["code"]}.items()}
    return {key: equivalents().get(code, code) for key, code in made.items()}


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
        "machine": manifest["trajectory"]["machine"],
        "created": manifest["trajectory"]["created"],
        "stale": stale,
    }


def _problems(manifests: dict[str, dict[str, Any]], stale: set[str]) -> dict[str, dict[str, Any]]:
    """A row a problem; what its seeds came to is told by the median."""
    found: dict[str, dict[str, Any]] = {}
    for member, manifest in manifests.items():
        spec = manifest["specification"]
        row = found.setdefault(
            spec["run"],
            {
                **{key: spec[key] for key in ("problem", "degree", "loss")},
                **{key: manifest[key] for key in ("data", "machine", "created")},
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


def _claim(resolved: resolve.Resolved, name: str, stale: set[str], study_file: Path) -> dict[str, Any]:
    """A claim or check as audit.json has it: what it says, its verdict, and the evidence."""
    verdict = artifacts.read_json(Path(resolved.results) / "claims" / f"{name}.json")
    entry = verdict["entry"]
    return {
        "id": name,
        **{key: entry[key] for key in ("part", "checks_claim", "title", "source", "statement", "assumptions")},
        **{key: entry[key] for key in ("expected", "must_be")},
        **{key: verdict[key] for key in ("verdict", "agrees", "reason", "statistic")},
        "judged": " ".join(inspect.cleandoc(registry.rule(entry["rule"]).Thresholds.__doc__).replace("`", "").split()),
        "thresholds": entry["thresholds"],
        "figure": f"{resolved.figures_folder}/{entry['figure']}.png",
        "target": _command(resolved, study_file, f"claim_{name}"),
        "seeds": verdict["seeds"],
        "stale": sorted(stale & set(resolved.inputs(name))),
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
