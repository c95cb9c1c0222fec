"""Stages `measure` and `probe`: a trajectory → a table for each module of `dirconv.measures`, or that of one probe.

Claims and figures read only these tables.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from dirconv import artifacts, losses
from dirconv.measures import Trajectory
from dirconv.options import modules, plugin
from dirconv.stages import _job, _output


def run(spec: dict[str, Any], split: Path, start: Path, trajectory: Path, out: Path) -> None:
    """Write a Parquet table per measure, or <probe>.parquet where `spec` names a probe, and manifest.json to `out`.

    Folders: `split` holds the prepared data, `start` what training wrote, `trajectory` what the flow wrote.
    """
    device = _job.prepare(spec)
    manifests = [artifacts.read_manifest(folder) for folder in (split, start, trajectory)]
    data, _, source = manifests
    followed = _load(spec, split, start, trajectory, device)
    stage, names = ("probe", [spec["probe"]]) if "probe" in spec else ("measure", modules("measures"))
    tables = {f"{name}.parquet": plugin(f"{stage}s", name, stage).table(followed) for name in names}
    record = {
        "made_by": _output.made_by(stage, spec, *manifests, device=_job.in_words(device)),
        "stop": source["stop"],
        "data": {key: data[key] for key in ("variant", "classes", "counts", "source_sha256")},
    }
    if stage == "measure":
        record["summary"] = _output.summary(followed.path)
        record["trajectory"] = {key: source[key] for key in ("made_by", "files")}
    _output.write(out, tables, spec, **record)


def _load(spec: dict[str, Any], split: Path, start: Path, trajectory: Path, device: torch.device) -> Trajectory:
    """The run, on `device`. With `frozen` the training map has the batch statistics of the flow's start."""
    train, test = _job.maps(spec, split, device)
    if spec["frozen"]:
        train = train.frozen(_job.start(start, device))
    snapshots = artifacts.read_tensors(trajectory / "snapshots.safetensors")
    return Trajectory(
        training=artifacts.read_table(start / "training.parquet"),
        steps=artifacts.read_table(trajectory / "steps.parquet"),
        snapshot_steps=snapshots["steps"],
        weights=torch.from_numpy(snapshots["weights"]).to(device),
        train=train,
        test=test,
        loss=losses.get(spec["loss"]),
    )
