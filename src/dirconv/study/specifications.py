"""What each job depends on, as plain JSON: no more, so that a change reruns what it must and nothing else.

Where images lie, for instance, is left out; what they are is told by the checksum of the prepared split.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
from pathlib import Path
from typing import Any, Literal

from dirconv import data, flow, models, problems
from dirconv.errors import UserError
from dirconv.goals import Stop
from dirconv.options import Train, configurable, modules, parse, require_known, require_positive, written
from dirconv.study import places
from dirconv.study.configuration import Problem, Run, StudyFile


@configurable
class _Network:
    """What the stage `homogeneity` reads of a specification."""

    run: str
    seed: int
    model: dict[str, Any]
    degree: int | None
    outputs: int
    scale: float
    precision: Literal["float32", "float64"]

    def __post_init__(self) -> None:
        require_positive(self, "outputs", "scale")
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed: must be from 0 to 2⁶³ − 1, got {self.seed}")
        if self.degree is not None:
            require_positive(self, "degree")


@configurable
class _Training(_Network):
    """Likewise, `train`."""

    data: dict[str, Any]
    loss: Literal["exponential", "logistic", "cross_entropy", "polynomial"]
    train: Train
    chunk: int
    keep: int = 2000
    threads: int
    device: Literal["auto", "cpu", "cuda"]

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self, "chunk", "threads")
        if self.keep < 0:
            raise ValueError(f"keep: must not be negative, got {self.keep}")
        if self.loss in ("logistic", "polynomial") and self.outputs > 1:
            raise ValueError(f"loss: {self.loss} is for two classes; use cross_entropy")


@configurable
class _Flow(_Training):
    """Likewise, `flow` and `measure`."""

    flow: dict[str, Any]
    stop: Stop
    snapshots_per_decade: int
    frozen: bool
    memory: int = 1024

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self, "snapshots_per_decade", "memory")


@configurable
class _Probe(_Flow):
    """Likewise, `probe`."""

    probe: str


@configurable
class _Problem(Problem):
    """Likewise, `problem`."""

    run: str


READ = {
    "problem": _Problem,
    "homogeneity": _Network,
    "train": _Training,
    "flow": _Flow,
    "measure": _Flow,
    "probe": _Probe,
}
PLUGINS = {"model": models, "flow": flow, "problem": problems}  # whose `specification` validates these keys


def read(text: str, stage: str) -> dict[str, Any]:
    """A job's specification from JSON text, or from the file of that name; UserError for one that the stage refuses.

    It is validated where pydantic is there: a machine with little else than torch gets specifications made elsewhere.
    """
    try:
        spec = json.loads(text if text.lstrip().startswith("{") else Path(text).read_text(encoding="utf-8"))
        if not isinstance(spec, dict):
            raise ValueError("no mapping")
    except (OSError, ValueError, RecursionError) as error:
        raise UserError("--spec: neither JSON nor a readable JSON file; write one with `dirconv resolve`") from error
    with contextlib.suppress(ImportError):
        _validate(spec, stage)
    return spec


def _validate(spec: dict[str, Any], stage: str) -> None:
    """UserError unless the specification holds what the stage reads; what it does not read may be anything."""
    import pydantic  # noqa: F401

    if stage == "data":  # which validates its options itself
        return
    kind = READ[stage]
    fields = [field.name for field in dataclasses.fields(kind)]
    parse(kind, {key: spec[key] for key in fields if key in spec}, "--spec")
    for key, package in PLUGINS.items():
        if key in fields:
            package.specification(spec[key], f"--spec.{key}")
    if stage == "probe":
        require_known(spec["probe"], modules("probes"), "--spec.probe")


@dataclasses.dataclass(frozen=True)
class Specifications:
    """The specifications of a study's jobs."""

    study: StudyFile
    where: str  # the study file, for messages

    def data(self, name: str) -> dict[str, Any]:
        """What the stage `data` gets: what is prepared, and where it lies."""
        options = dict(self.study.data[name])
        if options.get("source") == "folder" and options.get("path") is None and self.study.images is not None:
            options["path"] = self.study.images
        return dataclasses.asdict(data.specification(options, f"{self.where}: data.{name}"))

    def problem(self, name: str) -> dict[str, Any]:
        """What a small problem's tables depend on."""
        problem = self.study.problems[name]
        spec = problems.specification(problem.problem, f"{self.where}: problems.{name}.problem")
        return {"run": name, "problem": dataclasses.asdict(spec), "seeds": problem.seeds}

    def network(self, name: str, seed: int) -> dict[str, Any]:
        """What a network at initialization depends on."""
        run = self.study.runs[name]
        spec = models.specification(run.model, f"{self.where}: runs.{name}.model")
        degree = spec.degree if run.declared_degree is None else run.declared_degree
        train = run.train or Train()
        return {
            "run": name,
            "seed": seed,
            "model": written(spec),
            "degree": degree,
            "outputs": self.outputs(run),
            "scale": train.scale,
            "precision": run.precision,
        }

    def train(self, name: str, seed: int) -> dict[str, Any]:
        """What the point where the flow starts depends on."""
        run = self.study.runs[name]
        return {
            **self.network(name, seed),
            "data": places.without(self.data(run.data)),
            "loss": run.loss,
            "train": dataclasses.asdict(run.train),
            "chunk": run.chunk,
            "keep": run.keep,
            "threads": self.study.threads,
            "device": self.study.device,
        }

    def flow(self, name: str, seed: int) -> dict[str, Any]:
        """What a trajectory and its measures depend on."""
        run = self.study.runs[name]
        method = dataclasses.asdict(flow.specification(run.flow, f"{self.where}: runs.{name}.flow"))
        return {
            **self.train(name, seed),
            # an option added to a method later is left out where it is not given: old runs stay what they are
            "flow": {key: value for key, value in method.items() if value is not None},
            "stop": {key: value for key, value in dataclasses.asdict(run.stop).items() if math.isfinite(value)},
            "snapshots_per_decade": run.snapshots_per_decade,
            "frozen": run.frozen,
            "memory": run.memory,
        }

    def probe(self, name: str, seed: int, probe: str) -> dict[str, Any]:
        """What a probe's table depends on."""
        return {**self.flow(name, seed), "probe": probe}

    def outputs(self, run: Run) -> int:
        """How many outputs a run's network has: one for two classes, K for K."""
        classes = self.data(run.data)["classes"]
        return 1 if isinstance(classes, dict) else len(classes)
