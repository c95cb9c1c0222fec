"""What each job depends on, as plain JSON: no more, so that a change reruns what it must and nothing else.

Where images lie, for instance, is left out; what they are is told by the checksum of the prepared split.
"""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

from dirconv import data, flow, models, problems
from dirconv.errors import UserError
from dirconv.options import Train, written
from dirconv.study import places
from dirconv.study.configuration import Run, StudyFile


def read(text: str) -> dict[str, Any]:
    """A job's specification from JSON text, or from the file of that name."""
    try:
        return json.loads(text if text.lstrip().startswith("{") else Path(text).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError("--spec: neither JSON nor a readable JSON file; write one with `dirconv resolve`") from error


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
