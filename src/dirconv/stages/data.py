"""Stage `data`: a source of images → the binary (or K-class) split of a study, with its manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dirconv import artifacts, data
from dirconv.provenance import now, versions
from dirconv.stages._specification import code, what, with_places


def run(options: dict[str, Any], name: str, out: Path) -> None:
    """Write split.safetensors and manifest.json of the data set `name` to `out`."""
    record = data.prepare(with_places(options, name), out, f"data.{name}")
    spec = what(options)
    artifacts.write_manifest(
        out,
        ["split.safetensors"],
        {"specification": spec, "code": code("data", spec), "versions": versions(), "created": now(), **record},
    )
