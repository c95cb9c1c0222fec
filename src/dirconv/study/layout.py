"""Where artifacts lie below a study's results folder. With Snakemake's wildcards for names, these are its patterns."""

from __future__ import annotations

from dirconv.artifacts import MANIFEST
from dirconv.options import modules

STAGES_OF_NETWORKS = ("homogeneity", "train", "flow", "measure", "probe")


def folder(results: str, stage: str, name: str, seed: int | str = "", probe: str = "") -> str:
    """The folder that a job of the stage writes. A problem's holds one folder a seed."""
    return {
        "data": f"{results}/data/{name}",
        "homogeneity": f"{results}/measures/{name}/homogeneity",
        "train": f"{results}/starts/{name}/seed{seed}",
        "flow": f"{results}/runs/{name}/seed{seed}",
        "measure": f"{results}/measures/{name}/seed{seed}",
        "probe": f"{results}/measures/{name}/{probe}-seed{seed}",
        "problem": f"{results}/measures/{name}",
    }[stage]


def files(stage: str, probe: str = "") -> tuple[str, ...]:
    """The files in that folder, the manifest last."""
    tables = {
        "data": ("split.safetensors",),
        "homogeneity": ("homogeneity.parquet",),
        "train": ("start.safetensors", "training.parquet"),
        "flow": ("steps.parquet", "snapshots.safetensors"),
        "measure": tuple(f"{name}.parquet" for name in modules("measures")) if stage == "measure" else (),
        "probe": (f"{probe}.parquet",),
    }[stage]
    return (*tables, MANIFEST)


def outputs(results: str, stage: str, name: str, seed: int | str = "", probe: str = "") -> list[str]:
    """The files that a job of the stage writes."""
    return [f"{folder(results, stage, name, seed, probe)}/{file}" for file in files(stage, probe)]


def manifest(results: str, stage: str, name: str, seed: int | str = "", probe: str = "") -> str:
    """The manifest that it writes: what the next stage's job waits for."""
    return f"{folder(results, stage, name, seed, probe)}/{MANIFEST}"


def member(stage: str, name: str, seed: int | str = "", probe: str = "") -> str:
    """A run's folder below measures/: alexnet/seed0, alexnet/homogeneity, resnet/degree-seed0."""
    return folder("", stage, name, seed, probe).removeprefix("/measures/")
