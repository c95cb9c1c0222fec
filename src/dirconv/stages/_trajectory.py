"""A followed run, read from its folders, and tables of it: what the stages `measure` and `probe` share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from dirconv import artifacts, losses
from dirconv.measures import Trajectory
from dirconv.options import plugin
from dirconv.stages import _job, _output


def load(spec: dict[str, Any], split: Path, start: Path, trajectory: Path, device: torch.device) -> Trajectory:
    """The run of `spec`, its margin maps and weights on `device`.

    Folders: `split` holds the prepared data, `start` what training wrote, `trajectory` what the flow wrote. With
    `frozen` the training map has the batch statistics of the flow's start. The caller reads the folders' manifests,
    which verifies their checksums.
    """
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


def write(stage: str, names: list[str], spec: dict[str, Any], *folders: Path, out: Path) -> None:
    """Write the table of each module `names` of `dirconv.measures` or `dirconv.probes`, and manifest.json, to `out`.

    folders: `split`, `start`, `trajectory`, as in `load`.
    """
    device = _job.prepare(spec)
    manifests = [artifacts.read_manifest(folder) for folder in folders]
    data, _, source = manifests
    followed = load(spec, *folders, device)
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
