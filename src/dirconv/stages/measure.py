"""Stage `measure`: a trajectory → one table for each module of `dirconv.measures`, all that claims and figures read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from dirconv import artifacts, losses, measures
from dirconv.options import member, modules
from dirconv.stages import _job
from dirconv.stages._provenance import made_by
from dirconv.stages._summary import summary


def run(spec: dict[str, Any], split: Path, start: Path, trajectory: Path, out: Path) -> None:
    """Write a Parquet table per measure and manifest.json to `out`."""
    device = _job.prepare(spec)
    source = artifacts.read_manifest(trajectory)
    origin = artifacts.read_manifest(start)
    train_map, test_map = _job.maps(spec, split, device)
    if spec["frozen"]:
        first = artifacts.read_tensors(start / "start.safetensors")["weights"]
        train_map = train_map.frozen(torch.from_numpy(first).to(device))
    snapshots = artifacts.read_tensors(trajectory / "snapshots.safetensors")
    found = measures.Trajectory(
        training=artifacts.read_table(start / "training.parquet"),
        steps=artifacts.read_table(trajectory / "steps.parquet"),
        snapshot_steps=snapshots["steps"],
        weights=torch.from_numpy(snapshots["weights"]).to(device),
        train=train_map,
        test=test_map,
        loss=losses.get(spec["loss"]),
    )
    names = modules("measures")
    for name in names:
        artifacts.write_table(out / f"{name}.parquet", member("measures", name, "measure").table(found))
    data = artifacts.read_manifest(split)
    artifacts.write_manifest(
        out,
        [f"{name}.parquet" for name in names],
        {
            "specification": spec,
            "made_by": made_by("measure", spec, data, origin, source, device=_job.in_words(device)),
            "stop": source["stop"],
            "summary": summary(found.path),
            "trajectory": {key: source[key] for key in ("made_by", "files")},
            "data": {key: data[key] for key in ("variant", "classes", "counts", "source_sha256")},
        },
    )
