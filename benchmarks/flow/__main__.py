"""How far the proximal method follows the flow, how fast, how exactly, and against what: from the same start.

    uv run python -m benchmarks.flow alexnet --images PATH    # half-width AlexNet on 1,000 images (26 minutes)
    uv run python -m benchmarks.flow accuracy --images PATH   # quarter width: error against tolerance (10 minutes)
    uv run python -m benchmarks.flow small                    # squared ReLU, 30 examples, against ODE solvers
    uv run python -m benchmarks.flow scaling --images PATH    # seconds and memory a step, by examples and parameters

Each section replaces its own part of benchmarks/flow.json, with machine, versions and command. --images is a folder or
zip as for `folder` data sources; --variant says in words what the images are.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch

from benchmarks.flow import accuracy, alexnet, scaling, small
from dirconv.provenance import machine, now, versions

RECORD = Path(__file__).parents[1] / "flow.json"
SECTIONS = {"alexnet": alexnet.run, "accuracy": accuracy.run, "small": small.run, "scaling": scaling.run}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("section", choices=[*SECTIONS, "one"])
    parser.add_argument("--images", type=Path)
    parser.add_argument("--variant", default="CIFAR-10, JPEG copy")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--tolerance", type=float, default=0.05)
    parser.add_argument("--seconds", type=float, default=300.0, help="for a proximal run, twice that at half tolerance")
    parser.add_argument("--sgd-seconds", type=float, default=520.0)
    parser.add_argument("--examples", type=int, default=1000, help="of `one`, a size of `scaling`")
    parser.add_argument("--width", type=float, default=0.5, help="of `one`, a size of `scaling`")
    options = parser.parse_args()
    if options.section != "small" and options.images is None:
        parser.error(f"{options.section}: --images PATH is needed")
    torch.set_num_threads(2)
    if options.section == "one":
        scaling.one(options)
        return
    found = SECTIONS[options.section](options)
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    words = ["PATH" if word == str(options.images) else word for word in sys.argv[1:]]
    provenance = {"created": now(), "machine": machine(), "threads": torch.get_num_threads(), "versions": versions()}
    record[options.section] = {**provenance, "command": " ".join(["python -m benchmarks.flow", *words]), **found}
    RECORD.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
