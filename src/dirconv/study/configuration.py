"""What a study file may hold, typed. Unknown keys are refused; `dirconv.study.validate` validates what they name."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from dirconv.goals import Stop
from dirconv.options import Train, configurable, require_positive


def _require_seeds(seeds: list[int]) -> None:
    if not seeds or len(set(seeds)) < len(seeds) or not 0 <= min(seeds) <= max(seeds) < 2**63:
        raise ValueError(f"seeds: must be distinct integers from 0 to 2⁶³ − 1, at least one, got {seeds}")


@configurable
class Run:
    """One network on one data set, followed from several seeds.

    A run without `train` is only checked for homogeneity; `flow` names a method and its options.
    """

    data: str
    model: dict[str, Any]
    loss: Literal["exponential", "logistic", "cross_entropy", "polynomial"] = "logistic"
    seeds: list[int] = dataclasses.field(default_factory=lambda: [0])
    declared_degree: int | None = None  # overrides the degree that the model states; the check holds it to that
    train: Train | None = None
    flow: dict[str, Any] | None = None
    frozen: bool = False  # follow the network with batch statistics fixed as they are where the flow starts
    stop: Stop = dataclasses.field(default_factory=Stop)
    snapshots_per_decade: int = 8  # of ln(1/ℒ)
    chunk: int = 500  # images per forward pass; with batch statistics, the batch they are taken over
    keep: int = 2000  # images whose activations may be kept for the backward pass; beyond, they are recomputed
    memory: int = 1024  # MiB that comparing the examples' gradients may take (proximal)
    precision: Literal["float32", "float64"] = "float32"  # of the network; weights and sums are always float64
    probes: list[str] = dataclasses.field(default_factory=list)  # further measures, modules of dirconv.probes

    def __post_init__(self) -> None:
        require_positive(self, "snapshots_per_decade", "chunk", "memory")
        if self.keep < 0:
            raise ValueError(f"keep: must not be negative, got {self.keep}")
        _require_seeds(self.seeds)
        if self.precision == "float64" and self.train is not None and self.train.arithmetic != "float32":
            raise ValueError("train.arithmetic: must be float32 where precision is float64, got bfloat16")


@configurable
class Problem:
    """A small problem whose answer is known, followed from several seeds in one process."""

    problem: dict[str, Any]  # its name and its options
    seeds: list[int] = dataclasses.field(default_factory=lambda: list(range(10)))

    def __post_init__(self) -> None:
        _require_seeds(self.seeds)


@configurable
class StudyFile:
    """A study file. It stands alone: nothing is merged into it."""

    study: str
    data: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    runs: dict[str, Run] = dataclasses.field(default_factory=dict)
    problems: dict[str, Problem] = dataclasses.field(default_factory=dict)
    title: str = ""
    registry: str = "config/claims.yaml"  # the claims, with the thresholds fixed before the runs
    results: str = "results"
    figures_folder: str = "figures"
    claims: list[str] | None = None  # those judged; by default all whose runs the study has
    threads: int = 1  # of each job; results depend on it in the last digits, so it is part of every specification
    device: Literal["auto", "cpu", "cuda"] = "auto"
    see_also: list[str] = dataclasses.field(default_factory=list)  # study files whose audits this one's page links to
    images: str | None = None  # path for every `folder` source that names none: --config images=PATH

    def __post_init__(self) -> None:
        require_positive(self, "threads")
