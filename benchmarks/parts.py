"""Where the time of a flow goes: seconds of its main calls, each inclusive, the device synchronized around it.

    uv run python -m benchmarks.parts --spec PATH --split PATH --start PATH --seconds 20 [--device cpu] [--slack 0.5]

A piece of a run, from its start, with the specification that `dirconv resolve --job flow` prints; nothing is kept. The
synchronization itself costs: the sum is more than what a job takes.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from dirconv import artifacts
from dirconv.flow import dual
from dirconv.flow.methods import _proximal
from dirconv.margins import network
from dirconv.provenance import machine, versions
from dirconv.stages import _job, flow

PARTS = [  # where, what, and what to call it by its arguments
    (_proximal.Flow, "_solve", None),
    (_proximal.Flow, "_record", None),
    (_proximal.Flow, "_everyone", None),
    (network.NetworkMap, "rows", None),
    (network.NetworkMap, "values", lambda found, *arguments: f"{found._dtype}".removeprefix("torch.")),
    (network.NetworkRows, "pullback", None),
    (network.NetworkRows, "gram", None),
    (network.NetworkRows, "_factors", None),
    (dual, "solve", None),
    (dual, "_newton", None),
    (dual, "_interior", None),
    (dual, "_cholesky", None),
    (_job.Checkpoint, "save", None),
    (_job.Checkpoint, "keep", None),
]


def watch(spent: Counter[str], calls: Counter[str]) -> None:
    """Count the calls of every part, and add up their seconds."""

    def wait() -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    def watched(name: str, inner: Callable[..., Any], kind: Callable[..., str] | None) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            wait()
            began = time.perf_counter()
            label = name if kind is None else f"{name} {kind(*arguments)}"
            try:
                return inner(*arguments, **options)
            finally:
                wait()
                spent[label] += time.perf_counter() - began
                calls[label] += 1

        return call

    for owner, attribute, kind in PARTS:
        name = f"{owner.__name__.rpartition('.')[2]}.{attribute}"
        setattr(owner, attribute, watched(name, getattr(owner, attribute), kind))


def main() -> None:
    """Follow a piece and print the table, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("spec", "split", "start"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--device", choices=("cpu", "cuda"), default=None, help="instead of the specification's")
    parser.add_argument("--slack", type=float, default=None, help="instead of the specification's")
    options = parser.parse_args()
    spec = json.loads(options.spec.read_text())
    spec["device"] = options.device or spec["device"]
    if options.slack is not None:
        spec["flow"]["slack"] = options.slack
    spent, calls = Counter(), Counter()
    watch(spent, calls)
    with tempfile.TemporaryDirectory() as folder:
        where, began = Path(folder), time.perf_counter()
        places = (options.split, options.start, where / "run", where / "checkpoints", where / "log.txt")
        flow.run(spec, *places, options.seconds, last=True)
        wall = time.perf_counter() - began
        steps = artifacts.read_table(where / "run" / "steps.parquet")
    on_gpu = torch.cuda.is_available() and spec["device"] != "cpu"
    record = {
        "specification": spec,
        "machine": machine(torch.cuda.get_device_name() if on_gpu else "cpu"),
        "versions": versions(),
        "wall": wall,
        "steps": int(steps["step"].iloc[-1]),
        "tau": math.log(steps["norm"].iloc[-1] / steps["norm"].iloc[0]),
        "peak_gib": torch.cuda.max_memory_allocated() / 2**30 if on_gpu else None,
        "parts": {name: {"seconds": round(s, 3), "calls": calls[name]} for name, s in spent.most_common()},
    }
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
