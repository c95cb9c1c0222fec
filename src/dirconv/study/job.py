"""A study's jobs: what each stage's job depends on, reads and writes, and the versions of the code it goes through.

With Snakemake's wildcards for names, the paths are a rule's patterns.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dirconv import numerics, problems
from dirconv.artifacts import MANIFEST
from dirconv.claims import calibration, registry
from dirconv.errors import UserError
from dirconv.options import did_you_mean, modules
from dirconv.study import places

if TYPE_CHECKING:
    from dirconv.study.resolve import Study

FOLDERS = {  # of a stage's job: its folder below the study's results, and the files there besides the manifest
    "data": ("data/{name}", ["split.safetensors"]),
    "homogeneity": ("measures/{name}/homogeneity", ["homogeneity.parquet"]),
    "train": ("starts/{name}/seed{seed}", ["start.safetensors", "training.parquet"]),
    "flow": ("runs/{name}/seed{seed}", ["steps.parquet", "snapshots.safetensors"]),
    "measure": ("measures/{name}/seed{seed}", [f"{table}.parquet" for table in modules("measures")]),
    "probe": ("measures/{name}/{probe}-seed{seed}", ["{probe}.parquet"]),
}


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


def member_of(stage: str, name: str, seed: int = 0, probe: str = "") -> str:
    """A run's folder below measures/: alexnet/seed0, alexnet/homogeneity, resnet/degree-seed0."""
    return FOLDERS[stage][0].format(name=name, seed=seed, probe=probe).removeprefix("measures/")


def job(study: Study, stage: str, name: str = "", seed: int | str = 0, probe: str = "") -> Job:
    """The job of a stage; `name` is of its run, data set, problem, claim or figure. Names have to be known."""
    specifications, seed = study.specifications, int(seed)
    read: dict[str, str] = {}  # earlier stages of the same run, by what their folders hold
    inputs: dict[str, str | list[str]] = {}
    match stage:
        case "data":
            spec = places.without(specifications.data(name))
        case "problem":
            spec = specifications.problem(name)
        case "homogeneity":
            spec = specifications.network(name, study.file.runs[name].seeds[0])
        case "train":
            spec, read = specifications.train(name, seed), {"check": "homogeneity"}
        case "flow":
            spec, read = specifications.flow(name, seed), {"start": "train"}
        case "measure":  # measures depend on what the trajectory depends on
            spec, read = specifications.flow(name, seed), {"start": "train", "trajectory": "flow"}
        case "probe":
            spec, read = specifications.probe(name, seed, probe), {"start": "train", "trajectory": "flow"}
        case "claim":
            spec = registry.entry(study.claims[name])
            inputs = _tables(study, study.evidence(name), study.claims[name].tables)
        case "figure":
            spec = {"figure": name}
            inputs = _tables(study, study.figures[name], study.figure(name).tables)
        case "calibrate":
            spec = calibration.SPECIFICATION
        case "audit":
            spec = {}
    if read:
        inputs["split"] = outputs(study, "data", study.file.runs[name].data)[-1]
        inputs |= {key: outputs(study, earlier, name, seed)[-1] for key, earlier in read.items()}
    return Job(stage, spec, inputs, outputs(study, stage, name, seed, probe), numerics.of_stage(stage, spec))


def outputs(study: Study, stage: str, name: str = "", seed: int | str = "", probe: str = "") -> list[str]:
    """The files that a stage's job writes; the manifest of a folder last."""
    match stage:
        case "claim":
            return [f"{study.results}/claims/{name}.json"]
        case "figure":
            return [f"{study.figures_folder}/{name}.{suffix}" for suffix in ("png", "pdf", "csv")]
        case "calibrate":
            return [f"{study.results}/calibration.json"]
        case "audit":
            return [f"{study.results}/audit.{suffix}" for suffix in ("json", "md", "html")]
        case "problem":  # a folder a seed
            folders = [f"measures/{name}/seed{number}" for number in study.file.problems[name].seeds]
            files = [f"{table}.parquet" for table in problems.tables(study.kind(name))]
        case _:
            folder, patterns = FOLDERS[stage]
            names = {"name": name, "seed": seed, "probe": probe}
            folders, files = [folder.format(**names)], [pattern.format(**names) for pattern in patterns]
    return [f"{study.results}/{folder}/{file}" for folder in folders for file in (*files, MANIFEST)]


def _tables(study: Study, members: Iterable[str], tables: Iterable[str]) -> dict[str, list[str]]:
    """What a claim or a figure reads; of a probe's folder, its only table. The manifests hold every checksum."""
    folders = {member: f"{study.results}/measures/{member}" for member in members}
    held = {member: (key[2],) for member, key in study.probed.items()}
    return {
        "manifests": [f"{folder}/{MANIFEST}" for folder in folders.values()],
        "tables": [
            f"{folder}/{table}.parquet" for member, folder in folders.items() for table in held.get(member, tables)
        ],
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
