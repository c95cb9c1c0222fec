"""Stage `measure`: a trajectory → a table for each module of `dirconv.measures`; claims and figures read only these."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dirconv.options import modules
from dirconv.stages import _trajectory


def run(spec: dict[str, Any], split: Path, start: Path, trajectory: Path, out: Path) -> None:
    """Write a Parquet table per measure and manifest.json to `out`."""
    _trajectory.write("measure", modules("measures"), spec, split, start, trajectory, out=out)
