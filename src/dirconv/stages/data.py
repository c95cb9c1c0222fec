"""Stage `data`: a source of images → the binary (or K-class) split of a study, with its manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dirconv import artifacts, data
from dirconv.stages._output import made_by
from dirconv.study import places


def run(options: dict[str, Any], out: Path, name: str) -> None:
    """Write split.safetensors and manifest.json of the data set `name` to `out`."""
    record = data.prepare(places.restored(options, name), out, f"data.{name}")
    spec = places.without(options)
    artifacts.write_manifest(out, [data.SPLIT], {"specification": spec, "made_by": made_by("data", spec), **record})
