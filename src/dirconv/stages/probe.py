"""Stage `probe`: a trajectory → the table of one probe (`dirconv.probes`), in a folder of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dirconv import artifacts
from dirconv.options import plugin
from dirconv.stages import _job, _trajectory
from dirconv.stages._provenance import made_by


def run(spec: dict[str, Any], split: Path, start: Path, trajectory: Path, out: Path) -> None:
    """Write <probe>.parquet and manifest.json to `out`."""
    device = _job.prepare(spec)
    source = artifacts.read_manifest(trajectory)
    followed = _trajectory.load(spec, split, start, trajectory, device)
    name = spec["probe"]
    artifacts.write_table(out / f"{name}.parquet", plugin("probes", name, "probe").table(followed))
    data = artifacts.read_manifest(split)
    record = {
        "specification": spec,
        "made_by": made_by("probe", spec, data, artifacts.read_manifest(start), source, device=_job.in_words(device)),
        "stop": source["stop"],
        "data": {key: data[key] for key in ("variant", "classes", "counts", "source_sha256")},
    }
    artifacts.write_manifest(out, [f"{name}.parquet"], record)
