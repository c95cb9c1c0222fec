"""Stage `measure`: a trajectory → a table for each module of `dirconv.measures`; claims and figures read only these."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dirconv import artifacts
from dirconv.options import modules, plugin
from dirconv.stages import _job, _trajectory
from dirconv.stages._provenance import made_by
from dirconv.stages._summary import summary


def run(spec: dict[str, Any], split: Path, start: Path, trajectory: Path, out: Path) -> None:
    """Write a Parquet table per measure and manifest.json to `out`."""
    device = _job.prepare(spec)
    source = artifacts.read_manifest(trajectory)
    origin = artifacts.read_manifest(start)
    followed = _trajectory.load(spec, split, start, trajectory, device)
    names = modules("measures")
    for name in names:
        artifacts.write_table(out / f"{name}.parquet", plugin("measures", name, "measure").table(followed))
    data = artifacts.read_manifest(split)
    artifacts.write_manifest(
        out,
        [f"{name}.parquet" for name in names],
        {
            "specification": spec,
            "made_by": made_by("measure", spec, data, origin, source, device=_job.in_words(device)),
            "stop": source["stop"],
            "summary": summary(followed.path),
            "trajectory": {key: source[key] for key in ("made_by", "files")},
            "data": {key: data[key] for key in ("variant", "classes", "counts", "source_sha256")},
        },
    )
