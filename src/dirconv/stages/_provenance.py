"""What a stage's manifest says of how its files came about."""

from __future__ import annotations

from typing import Any

from dirconv import numerics, provenance


def made_by(stage: str, spec: dict[str, Any], *inputs: dict[str, Any], device: str = "cpu") -> dict[str, Any]:
    """`made_by` of a job of the stage; `inputs`: the manifests of what it read, whose parts it went through too."""
    versions = (manifest["made_by"]["numerics"] for manifest in inputs)
    return provenance.made_by(
        numerics.oldest(numerics.of_stage(stage, spec), *versions), device, spec.get("threads", 1)
    )
