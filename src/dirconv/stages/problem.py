"""Stage `problem`: a small problem whose answer is known, followed from all of its seeds in one process → tables.

A seed's tables have the same place as those of a network's run, so that the same rules and figures read them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dirconv import artifacts, problems
from dirconv.options import plugin
from dirconv.stages._provenance import made_by
from dirconv.stages._summary import summary


def run(spec: dict[str, Any], out: Path) -> None:
    """Write a Parquet table per name in the problem's TABLES, and manifest.json, to `out`/seed<seed> for every seed."""
    problem = problems.from_options(spec["problem"])
    followed = plugin("problems", problem.name, "problem").follow(problem, spec["seeds"])
    for seed, one in zip(spec["seeds"], followed, strict=True):
        folder = out / f"seed{seed}"
        for name, table in one.tables.items():
            artifacts.write_table(folder / f"{name}.parquet", table)
        record = {
            "specification": {
                "run": spec["run"],
                "seed": seed,
                "problem": spec["problem"],
                "model": {"name": problem.name},
                "degree": problem.degree,
                "loss": problem.loss,
            },
            "made_by": made_by("problem", spec),
            "stop": one.stop,
            "summary": summary(one.tables["path"]),
            "data": problem.data,
        }
        artifacts.write_manifest(folder, [f"{name}.parquet" for name in one.tables], record)
