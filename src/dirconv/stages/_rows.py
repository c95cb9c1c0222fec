"""The rows of an audit about data, runs and problems, from the manifests of their measures."""

from __future__ import annotations

import statistics
from typing import Any


def tables(manifests: dict[str, dict[str, Any]], stale: set[str]) -> dict[str, Any]:
    """What the page says of data, runs and problems, from the manifests of their measures."""
    trained = {member: manifest for member, manifest in manifests.items() if "trajectory" in manifest}
    solved = {member: manifest for member, manifest in manifests.items() if "problem" in manifest["specification"]}
    return {
        "data": {manifest["specification"]["run"]: manifest["data"] for manifest in trained.values()},
        "runs": {member: _run(manifest, member in stale) for member, manifest in trained.items()},
        "problems": _problems(solved, stale),
    }


def _run(manifest: dict[str, Any], stale: bool) -> dict[str, Any]:
    spec = manifest["specification"]
    return {
        **{key: spec[key] for key in ("model", "degree", "loss", "seed")},
        "method": spec["flow"],
        **{key: manifest[key] for key in ("stop", "summary")},
        **{key: manifest["trajectory"]["made_by"][key] for key in ("machine", "created")},
        "stale": stale,
    }


def _problems(manifests: dict[str, dict[str, Any]], stale: set[str]) -> dict[str, dict[str, Any]]:
    """A row a problem: the medians over its seeds."""
    rows: dict[str, dict[str, Any]] = {}
    for run in dict.fromkeys(manifest["specification"]["run"] for manifest in manifests.values()):
        seeds = {member: m for member, m in manifests.items() if m["specification"]["run"] == run}
        first = next(iter(seeds.values()))
        rows[run] = {
            **{key: first["specification"][key] for key in ("problem", "degree", "loss")},
            "data": first["data"],
            **{key: first["made_by"][key] for key in ("machine", "created")},
            "seeds": [manifest["specification"]["seed"] for manifest in seeds.values()],
            "stops": [manifest["stop"] for manifest in seeds.values()],
            "stale": not stale.isdisjoint(seeds),
            "median": {
                key: _median([manifest["summary"][key] for manifest in seeds.values()]) for key in first["summary"]
            },
        }
    return rows


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
