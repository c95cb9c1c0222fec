"""Stage `problem`: a small problem whose answer is known, followed from all of its seeds in one process → tables.

A seed's tables have the same place as those of a network's run, so that the same rules and figures read them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dirconv import problems
from dirconv.options import plugin
from dirconv.stages import _output


def run(spec: dict[str, Any], out: Path) -> None:
    """Write a Parquet table per name in the problem's TABLES, and manifest.json, to `out`/seed<seed> for every seed."""
    problem = problems.from_options(spec["problem"])
    followed = plugin("problems", problem.name, "problem").follow(problem, spec["seeds"])
    for seed, result in zip(spec["seeds"], followed, strict=True):
        specification = {
            "run": spec["run"],
            "seed": seed,
            "problem": spec["problem"],
            "model": {"name": problem.name},
            "degree": problem.degree,
            "loss": problem.loss,
        }
        _output.write(
            out / f"seed{seed}",
            {f"{name}.parquet": table for name, table in result.tables.items()},
            specification,
            made_by=_output.made_by("problem", spec),
            stop=result.stop,
            summary=_output.summary(result.tables["path"]),
            data=problem.data,
        )
