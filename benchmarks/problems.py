"""How much a batch over seeds saves: small problems with all seeds in one batch, against the same seeds one by one.

    uv run python -m benchmarks.problems [--config config/theorems.yaml] [--out problems.json]

Three ways, in turn, with one thread: all seeds in one call; a call for each seed in the same process, which has loaded
and compiled everything already; and, for the first problem, a process for each seed, as a workflow with a job a seed
would have it. Both orders of the first two are run and the lower time of each is kept.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from dirconv import problems
from dirconv.options import load_yaml, plugin
from dirconv.provenance import machine, now, versions

HERE = Path(__file__).parent


def seconds(spec: problems.Spec, groups: list[list[int]]) -> float:
    """For following these groups of seeds, a call a group."""
    module = plugin("problems", spec.name, "problem")
    start = time.perf_counter()
    for seeds in groups:
        module.follow(spec, seeds)
    return time.perf_counter() - start


def processes(name: str, spec: problems.Spec, seeds: list[int]) -> float:
    """For a process of `dirconv problem` for each seed."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            job = json.dumps({"run": name, "problem": dataclasses.asdict(spec), "seeds": [seed]})
            subprocess.run([sys.executable, "-m", "dirconv", "problem", "--spec", job, "--out", folder], check=True)
    return time.perf_counter() - start


def main() -> None:
    """Time every problem that is followed as an ensemble."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=Path("config/theorems.yaml"))
    parser.add_argument("--out", type=Path, default=HERE / "problems.json")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", message=".*torch.jit.script.*")
    rows: dict[str, dict[str, Any]] = {}
    for name, run in load_yaml(options.config)["problems"].items():
        spec = problems.specification(run["problem"], name)
        seeds = run.get("seeds", list(range(10)))
        if spec.name == "mexican_hat":  # has no batch: one stiff system of four equations for each seed
            continue
        seconds(dataclasses.replace(spec, tau=0.25), [seeds[:2]])  # whatever is loaded or compiled once
        one_by_one = [[seed] for seed in seeds]
        together, alone = seconds(spec, [seeds]), seconds(spec, one_by_one)
        alone, together = min(alone, seconds(spec, one_by_one)), min(together, seconds(spec, [seeds]))
        rows[name] = {"seeds": len(seeds), "together": together, "one_by_one": alone, "ratio": alone / together}
        if len(rows) == 1:
            rows[name]["processes"] = processes(name, spec, seeds)
        print(name, rows[name], flush=True)
    record = {
        "command": "python -m benchmarks.problems",
        "configuration": str(options.config),
        "created": now(),
        "machine": machine(),
        "versions": versions(),
        "threads": 1,
        "seconds": rows,
    }
    options.out.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
