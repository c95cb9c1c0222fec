"""Stage `probe`: a trajectory → the table of one probe (`dirconv.probes`), in a folder of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dirconv import artifacts
from dirconv.options import member
from dirconv.stages._provenance import made_by


def run(spec: dict[str, Any], split: Path, start: Path, trajectory: Path, out: Path) -> None:
    """Write <probe>.parquet and manifest.json to `out`."""
    import torch  # here: the workflow asks this module for hashes only

    from dirconv import losses, measures
    from dirconv.stages import _job

    device = _job.prepare(spec)
    source = artifacts.read_manifest(trajectory)
    train, test = _job.maps(spec, split, device)
    first = torch.from_numpy(artifacts.read_tensors(start / "start.safetensors")["weights"]).to(device)
    snapshots = artifacts.read_tensors(trajectory / "snapshots.safetensors")
    found = measures.Trajectory(
        training=artifacts.read_table(start / "training.parquet"),
        steps=artifacts.read_table(trajectory / "steps.parquet"),
        snapshot_steps=snapshots["steps"],
        weights=torch.from_numpy(snapshots["weights"]).to(device),
        train=train.frozen(first) if spec["frozen"] else train,
        test=test,
        loss=losses.get(spec["loss"]),
    )
    name = spec["probe"]
    artifacts.write_table(out / f"{name}.parquet", member("probes", name, "probe").table(found))
    data = artifacts.read_manifest(split)
    record = {
        "specification": spec,
        "made_by": made_by(
            "probe", spec, data, artifacts.read_manifest(start), source, device=_job.in_words(device)
        ),
        "stop": source["stop"],
        "data": {key: data[key] for key in ("variant", "classes", "counts", "source_sha256")},
    }
    artifacts.write_manifest(out, [f"{name}.parquet"], record)
