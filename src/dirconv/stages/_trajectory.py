"""Read a followed run from its folders, for the stages `measure` and `probe`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from dirconv import artifacts, losses
from dirconv.measures import Trajectory
from dirconv.stages import _job


def load(spec: dict[str, Any], split: Path, start: Path, trajectory: Path, device: torch.device) -> Trajectory:
    """The run of `spec`, its margin maps and weights on `device`.

    Folders: `split` holds the prepared data, `start` what training wrote, `trajectory` what the flow wrote. With
    `frozen` the training map has the batch statistics of the flow's start. The caller reads the folders' manifests,
    which verifies their files.
    """
    train, test = _job.maps(spec, split, device)
    if spec["frozen"]:
        first = artifacts.read_tensors(start / "start.safetensors")["weights"]
        train = train.frozen(torch.from_numpy(first).to(device))
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
