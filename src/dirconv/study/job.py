"""A study's jobs: what each stage's job depends on, reads and writes, and the versions of the code it goes through."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from dirconv import numerics, problems
from dirconv.artifacts import MANIFEST
from dirconv.claims import calibration, registry
from dirconv.errors import UserError
from dirconv.options import did_you_mean
from dirconv.study import layout, places

if TYPE_CHECKING:
    from dirconv.study.resolve import Study


@dataclasses.dataclass(frozen=True)
class Job:
    """One job of a stage."""

    stage: str
    spec: dict[str, Any]  # all that the result depends on besides its inputs and the code
    inputs: dict[str, str | list[str]]  # files that have to be there, by what they are
    outputs: list[str]  # files that it writes
    made_by: dict[str, int]  # versions of the parts that it goes through (`dirconv.numerics`)

    @property
    def json(self) -> str:
        """The specification as one line of JSON."""
        return json.dumps(self.spec, ensure_ascii=False)

    @property
    def versions(self) -> str:
        """What Snakemake compares of `made_by`, as one line of JSON."""
        return json.dumps(numerics.raised(self.made_by))


def job(study: Study, stage: str, name: str = "", seed: int = 0, probe: str = "") -> Job:
    """The job of a stage; `name` is of its run, data set, problem, claim or figure. Names have to be known."""
    specifications, results = study.specifications, study.results
    inputs: dict[str, str | list[str]] = {}
    match stage:
        case "data":
            spec = places.without(specifications.data(name))
        case "problem":
            spec = specifications.problem(name)
        case "homogeneity":
            spec = specifications.network(name, study.file.runs[name].seeds[0])
        case "train":
            spec = specifications.train(name, seed)
            inputs["check"] = layout.manifest(results, "homogeneity", name)
        case "flow" | "measure":  # measures depend on what the trajectory depends on
            spec = specifications.flow(name, seed)
        case "probe":
            spec = specifications.probe(name, seed, probe)
        case "claim":
            spec = registry.entry(study.claims[name])
            inputs = _tables(study, study.inputs(name), study.claims[name].tables)
        case "figure":
            spec = {"figure": name}
            inputs = _tables(study, study.figures[name], study.figure(name).tables)
        case "calibrate":
            spec = calibration.SPECIFICATION
        case "audit":
            spec = {}
    if stage in ("train", "flow", "measure", "probe"):
        inputs["split"] = layout.manifest(results, "data", study.file.runs[name].data)
    if stage in ("flow", "measure", "probe"):
        inputs["start"] = layout.manifest(results, "train", name, seed)
    if stage in ("measure", "probe"):
        inputs["trajectory"] = layout.manifest(results, "flow", name, seed)
    return Job(stage, spec, inputs, outputs(study, stage, name, seed, probe), numerics.of_stage(stage, spec))


def outputs(study: Study, stage: str, name: str = "", seed: int | str = "", probe: str = "") -> list[str]:
    """The files that a stage's job writes; with Snakemake's wildcards for names, a rule's patterns."""
    match stage:
        case "claim":
            return [f"{study.results}/claims/{name}.json"]
        case "figure":
            return [f"{study.figures_folder}/{name}.{suffix}" for suffix in ("png", "pdf", "csv")]
        case "calibrate":
            return [f"{study.results}/calibration.json"]
        case "audit":
            return [f"{study.results}/audit.{suffix}" for suffix in ("json", "md", "html")]
        case "problem":
            files = [*(f"{table}.parquet" for table in problems.tables(study.kind(name))), MANIFEST]
            folder = layout.folder(study.results, stage, name)
            return [f"{folder}/seed{one}/{file}" for one in study.file.problems[name].seeds for file in files]
    return layout.outputs(study.results, stage, name, seed, probe)


def _tables(study: Study, members: list[str], tables: tuple[str, ...]) -> dict[str, list[str]]:
    """What a claim or a figure reads. The manifests hold every checksum."""
    folders = [f"{study.results}/measures/{member}" for member in members]
    return {
        "manifests": [f"{folder}/{MANIFEST}" for folder in folders],
        "tables": [f"{folder}/{table}.parquet" for folder in folders for table in tables],
    }


def asked(study: Study, stage: str, name: str, seed: int | None, probe: str | None) -> dict[str, Any]:
    """The specification that `dirconv resolve` prints. UserError where the study has no such job.

    `dirconv measure` takes the flow's. That of `data` holds where images lie.
    """
    known = list({"data": study.file.data, "problem": study.file.problems}.get(stage, study.file.runs))
    if name not in known:
        near = did_you_mean(name, known) if known else f"; {study.where} has none"
        raise UserError(f"--name: unknown {name!r}{near}")
    if stage == "data":
        return study.specifications.data(name)
    if stage in ("problem", "homogeneity"):
        return job(study, stage, name).spec
    followed = {member: key for member, key in study.members.items() if key[0] == name}
    if (name, seed) not in followed.values():
        raise UserError(f"--seed: the study follows {', '.join(followed) or f'no seed of {name}'}; name one of them")
    probes = study.file.runs[name].probes
    if stage == "probe" and probe not in probes:
        raise UserError(f"--probe: {name} asks for {', '.join(probes) or 'none'}; name one that it asks for")
    return job(study, stage, name, seed, probe or "").spec
