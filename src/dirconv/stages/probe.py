"""Stage `probe`: a trajectory → the table of one probe (`dirconv.probes`), in a folder of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dirconv import artifacts
from dirconv.options import member
from dirconv.provenance import code_hash, machine, now, versions


def code(spec: dict[str, Any]) -> str:
    """What the artifacts' code is known by: as `_specification.code`, for a probe's specification."""
    found = code_hash(
        "dirconv.stages.probe", f"dirconv.probes.{spec['probe']}", f"dirconv.models.{spec['model']['name']}"
    )
    return f"{found}-torch{versions().get('torch', '')}"


def run(spec: dict[str, Any], split: Path, start: Path, trajectory: Path, out: Path) -> None:
    """Write <probe>.parquet and manifest.json to `out`."""
    import torch  # here: the workflow asks this module for hashes only

    from dirconv.stages import _job, _trajectory

    device = _job.prepare(spec)
    source = artifacts.read_manifest(trajectory)
    followed = _trajectory.load(spec, split, start, trajectory, device)
    name = spec["probe"]
    artifacts.write_table(out / f"{name}.parquet", member("probes", name, "probe").table(followed))
    data = artifacts.read_manifest(split)
    record = {
        "specification": spec,
        "code": code(spec),
        "stop": source["stop"],
        "made_by": {"data": data["code"], "train": artifacts.read_manifest(start)["code"], "flow": source["code"]},
        "data": {key: data[key] for key in ("variant", "classes", "counts", "source_sha256")},
        "machine": machine(torch.cuda.get_device_name() if device.type == "cuda" else "cpu"),
        "versions": versions(),
        "created": now(),
    }
    artifacts.write_manifest(out, [f"{name}.parquet"], record)
