"""Seconds a step and peak memory, by examples and by parameters."""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from typing import Any

import numpy as np

from benchmarks.flow import common
from dirconv import flow, losses
from dirconv.flow.methods import proximal
from dirconv.goals import Stop

STEPS = 12


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Seconds a step and peak memory over the first steps of the flow, each size in a process of its own.

    Real images, and a start as in `alexnet`: SGD until ℒ < ℓ(0). All examples take part at first.
    """
    rows = []
    sizes = [(n, 0.5) for n in (250, 500, 1000, 2000, 4000)] + [(500, width) for width in (0.25, 0.5, 0.75, 1.0)]
    for n, width in sizes:
        command = [sys.executable, "-m", "benchmarks.flow", "one", "--examples", str(n), "--width", str(width)]
        command += ["--images", str(options.images), "--variant", options.variant]
        out = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ)
        rows.append(json.loads(out.stdout.splitlines()[-1]))
        print(rows[-1], flush=True)

    def exponent(chosen: list[dict[str, Any]], x: str, y: str) -> float:
        return float(np.polyfit(np.log([row[x] for row in chosen]), np.log([row[y] for row in chosen]), 1)[0])

    by_examples, by_parameters = rows[:5], rows[5:]
    return {
        "rows": rows,
        "exponents": {
            "seconds by examples": exponent(by_examples, "examples", "seconds_a_step"),
            "peak memory by examples": exponent(by_examples, "examples", "peak_GiB"),
            "seconds by parameters": exponent(by_parameters, "parameters", "seconds_a_step"),
            "peak memory by parameters": exponent(by_parameters, "parameters", "peak_GiB"),
        },
    }


def one(options: argparse.Namespace) -> None:
    """One size of `scaling`; prints its row."""
    images, labels = common.images(options, options.examples)
    margin_map, loss = common.network_map(images, labels, options.width, 0), losses.get("logistic")
    weights = common.trained(margin_map, loss, 0)
    spec = proximal.Spec(tolerance=0.05)
    times = []
    for event in flow.follow(margin_map, loss, spec, Stop(steps=STEPS), flow.State.at_start(weights)):
        times.append(time.monotonic())
        last = event.step.state
    spread = np.diff(times)
    row = {
        "examples": options.examples,
        "parameters": len(weights),
        "seconds_a_step": float(np.median(spread)),
        "least": float(spread.min()),
        "most": float(spread.max()),
        "jacobians": last.jacobians,
        "evaluations": last.evaluations,
        "peak_GiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }
    print(json.dumps(row))
