"""Stage `data`: a source of images → the binary (or K-class) split of a study, with its manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dirconv import artifacts, data
from dirconv.provenance import now, versions
from dirconv.stages._specification import code, what


def run(options: dict[str, Any], out: Path, where: str) -> None:
    """Write split.safetensors and manifest.json to `out`."""
    record = data.prepare(options, out, where)
    spec = what(options)
    artifacts.write_manifest(
        out,
        ["split.safetensors"],
        {"specification": spec, "code": code("data", spec), "versions": versions(), "created": now(), **record},
    )
