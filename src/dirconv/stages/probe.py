"""Stage `probe`: a trajectory → the table of one probe (`dirconv.probes`), in a folder of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dirconv.stages import _trajectory


def run(spec: dict[str, Any], split: Path, start: Path, trajectory: Path, out: Path) -> None:
    """Write <probe>.parquet and manifest.json to `out`."""
    _trajectory.write("probe", [spec["probe"]], spec, split, start, trajectory, out=out)
