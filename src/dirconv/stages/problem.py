"""Stage `problem`: a small problem whose answer is known, followed from all of its seeds in one process → tables.

A seed's tables have the same place as those of a network's run, so that the same rules and figures read them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dirconv import artifacts, problems
from dirconv.options import member
from dirconv.provenance import code_hash, machine, now, versions
from dirconv.stages._summary import summary


def code(spec: dict[str, Any]) -> str:
    """What the artifacts' code is known by: as `_specification.code`, for a problem's specification."""
    found = code_hash("dirconv.stages.problem", f"dirconv.problems.{spec['problem']['name']}")
    return f"{found}-torch{versions().get('torch', '')}"


def tables(name: str) -> tuple[str, ...]:
    """The names of the tables that the problem of that name returns."""
    return member("problems", name, "problem").TABLES


def run(spec: dict[str, Any], out: Path) -> None:
    """Write a Parquet table per name in the problem's TABLES, and manifest.json, to `out`/seed<seed> for every seed."""
    problem = problems.from_options(spec["problem"])
    followed = member("problems", problem.name, "problem").follow(problem, spec["seeds"])
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
            "code": code(spec),
            "stop": one.stop,
            "summary": summary(one.tables["path"]),
            "data": problem.data,
            "machine": machine(),
            "versions": versions(),
            "created": now(),
        }
        artifacts.write_manifest(folder, [f"{name}.parquet" for name in one.tables], record)
