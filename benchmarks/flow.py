"""How far the proximal method follows the flow, how fast, and against what: side by side, from the same start.

    uv run python benchmarks/flow.py alexnet --images PATH   # 1,000 CIFAR-10 images, half-width AlexNet (half an hour)
    uv run python benchmarks/flow.py small                   # squared ReLU, 30 examples, against ODE solvers
    uv run python benchmarks/flow.py scaling                 # seconds and memory a step, by examples and parameters

Each section replaces its own part of benchmarks/flow.json, with machine, versions and command. --images is a folder or
zip as for `folder` data sources; --variant says in words what the images are.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.integrate import solve_ivp

from dirconv import data, flow, losses, models, training
from dirconv.flow import proximal, sgd
from dirconv.margins.function import FunctionMap
from dirconv.margins.network import NetworkMap
from dirconv.models import alexnet
from dirconv.options import Stop, Train
from dirconv.provenance import machine, now, versions
from dirconv.stages import data as data_stage

RECORD = Path(__file__).parent / "flow.json"
MARKS = (1e2, 1e3, 800 * math.log(10), 1e4, 1e5, 1e6, 1e7, 1e8, 1e9)  # of ln(1/ℒ), at which the time is noted


def network_map(images: torch.Tensor, labels: torch.Tensor, width: float, seed: int, scale: float = 1.0) -> NetworkMap:
    """Homogeneous AlexNet on images, in float32."""
    network = models.create(alexnet.Spec(width=width), 3, 1, torch.Generator().manual_seed(seed), scale)
    laid_out = images.contiguous(memory_format=torch.channels_last)
    return NetworkMap(network.to(memory_format=torch.channels_last), laid_out, labels, 6, chunk=250)


def followed(margin_map: Any, loss: Any, spec: Any, start: torch.Tensor, stop: Stop, seconds: float) -> dict[str, Any]:
    """A run until its goal or its time is up: where it came to, when it passed each mark, where it landed."""
    norm = float(start.norm())
    begin = time.monotonic()
    path, marks, directions = [], {}, {}
    for event in flow.follow(margin_map, loss, spec, stop, flow.State(start.clone()), norm_start=norm):
        step, spent = event.step, time.monotonic() - begin
        tau = math.log(step.norm / norm)
        path.append(
            {
                "seconds": round(spent, 2),
                "tau": tau,
                "ln_inverse_risk": -step.ln_risk,
                "zeta": step.state.path_length,
                "cos": step.cos,
                "cos_point": step.cos_point,
            }
        )
        for mark in MARKS:
            if -step.ln_risk >= mark:
                marks.setdefault(f"{mark:.6g}", round(spent, 1))
        if step.landed:
            directions[round(tau, 6)] = step.state.weights / step.norm
        if spent > seconds:
            break
    state = event.step.state
    return {
        "stop": str(event.stop or "time"),
        "steps": state.step,
        "evaluations": state.evaluations,
        "jacobians": state.jacobians,
        "end": path[-1],
        "seconds_to_ln_inverse_risk": marks,
        "path": path[:: max(1, len(path) // 60)],
        "directions": directions,
    }


def compared(one: dict[str, Any], other: dict[str, Any]) -> dict[str, float]:
    """Angle (rad) between two runs' directions at every τ where both landed."""
    common = one["directions"].keys() & other["directions"].keys()
    chords = {tau: float((one["directions"][tau] - other["directions"][tau]).norm()) for tau in sorted(common)}
    return {f"{tau:g}": round(2 * math.asin(min(chord / 2, 1.0)), 5) for tau, chord in chords.items()}


def run_alexnet(options: argparse.Namespace) -> dict[str, Any]:
    """Half-width AlexNet on 1,000 images: the proximal method at a tolerance and at half of it; loss-scaled SGD."""
    source = {
        "source": "folder",
        "variant": options.variant,
        "classes": {"negative": ["airplane"], "positive": ["automobile"]},
        "train": 1000,
        "path": str(options.images),
    }
    with tempfile.TemporaryDirectory() as folder:
        data_stage.run(dataclasses.asdict(data.specification(source, "--images")), "cifar", Path(folder))
        images, labels, _, _ = data.load(Path(folder)).tensors(torch.float32)
    margin_map, loss = network_map(images, labels, 0.5, options.seed), losses.get("logistic")
    initial = training.start(margin_map.flatten(), options.seed)
    begin = time.monotonic()
    for state in training.epochs(margin_map, loss, Train(learning_rate=0.02), initial):
        if float(loss.ln_risk(margin_map.values(state.weights))) < loss.ln_at_zero:
            break
    start = state.weights
    found = {
        "data": {"variant": options.variant, "classes": source["classes"], "train": 1000},
        "network": {"name": "alexnet", "width": 0.5, "parameters": len(start)},
        "seed": options.seed,
        "training_seconds": round(time.monotonic() - begin, 1),
        "ln_risk_at_start": float(loss.ln_risk(margin_map.values(start))),
        "runs": {},
    }
    goal = Stop(tau=2.5, steps=10**6)
    runs = found["runs"]
    for tolerance, seconds in ((options.tolerance, options.seconds), (options.tolerance / 2, 2 * options.seconds)):
        spec = proximal.Spec(tolerance=tolerance)
        runs[f"proximal {tolerance:g}"] = followed(margin_map, loss, spec, start, goal, seconds)
        print(f"proximal {tolerance:g}", runs[f"proximal {tolerance:g}"]["end"], flush=True)
    first, second = runs.values()
    found["angle_between_tolerances"] = compared(first, second)
    full, spent = NetworkMap.linearize, [0.0]

    def timed(self: NetworkMap, weights: torch.Tensor):  # SGD itself needs no gradient over all examples
        at = time.monotonic()
        result = full(self, weights)
        spent[0] += time.monotonic() - at if len(self.images) == 1000 else 0.0
        return result

    NetworkMap.linearize = timed
    spec = sgd.Spec(seed=options.seed)
    goal = Stop(log_inverse_risk=1.05 * MARKS[2], steps=10**6)
    runs["sgd"] = followed(margin_map, loss, spec, start, goal, options.sgd_seconds)
    NetworkMap.linearize = full
    runs["sgd"]["seconds_forward_over_all_examples"] = round(spent[0], 1)
    print("sgd", runs["sgd"]["end"], flush=True)
    for run in runs.values():
        del run["directions"]
    return found


def squared_relu() -> tuple[FunctionMap, np.ndarray, Any]:
    """30 examples, 40 neurons, degree 3, and weights at which ℒ < ½; with margins and Jacobian in NumPy."""
    random = np.random.default_rng(0)
    n, d, m = 30, 5, 40
    x = random.normal(size=(n, d))
    y = np.sign(x @ random.normal(size=d))
    inner, outer = random.normal(size=(m, d)) * 0.5, random.normal(size=m) * 0.5

    def jacobian(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        a, hidden = w[:m], np.maximum(x @ w[m:].reshape(m, d).T, 0)
        by_inner = (2 * y[:, None] * hidden * a)[:, :, None] * x[:, None, :]
        return y * (hidden**2 @ a), np.concatenate([y[:, None] * hidden**2, by_inner.reshape(n, -1)], 1)

    w = np.concatenate([outer, inner.ravel()])
    while True:
        p, rows = jacobian(w)
        e = np.exp(-p)
        if e.sum() < 0.5:
            break
        w = w + 0.01 * (rows.T @ (e / max(e.sum(), 1)))
    images, labels = torch.from_numpy(x), torch.from_numpy(y)

    def margins(weights: torch.Tensor) -> torch.Tensor:
        a, hidden = weights[:m], torch.relu(images @ weights[m:].view(m, d).T)
        return (labels * (hidden.square() @ a))[:, None]

    return FunctionMap(margins, 3), w, jacobian


def run_small(options: argparse.Namespace) -> dict[str, Any]:
    """Jacobian evaluations to follow τ from 0 to 3, against scipy's solvers with the velocity in closed form.

    For each method a ladder of tolerances; what counts is the least number of Jacobians with an end direction within
    10⁻³ of LSODA's at rtol 10⁻¹⁰. Implicit solvers are given no Jacobian of the velocity: that would need p's Hessian;
    the evaluations that they spend on differences are reported apart and not counted.
    """
    margin_map, w, jacobian = squared_relu()
    radius, end = float(np.linalg.norm(w)), 3.0
    theta = w / radius

    def velocity(tau: float, at: np.ndarray) -> np.ndarray:
        p, rows = jacobian(at)
        scaled = (radius * math.exp(tau)) ** 3 * p
        q = np.exp(scaled.min() - scaled)
        v = rows.T @ (q / q.sum())
        return (v - at * (at @ v)) / (at @ v)

    def direction(y: np.ndarray) -> np.ndarray:
        return y / np.linalg.norm(y)

    reference = direction(solve_ivp(velocity, (0, end), theta, method="LSODA", rtol=1e-10, atol=1e-12).y[:, -1])
    rows = []
    for method in ("LSODA", "Radau", "BDF", "DOP853", "RK45"):
        for tolerance in (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 1e-5, 1e-6):  # until one will do
            begin = time.monotonic()
            found = solve_ivp(velocity, (0, end), theta, method=method, rtol=tolerance, atol=tolerance / 100)
            spent = time.monotonic() - begin
            differences = found.njev * len(w) if method in ("LSODA", "Radau", "BDF") else 0
            counted = found.nfev - (differences if method == "LSODA" else 0)
            error = float(np.linalg.norm(direction(found.y[:, -1]) - reference)) if found.success else math.inf
            rows.append([method, tolerance, error, max(counted, 1), differences, spent])
            if spent > 60 or error <= 1e-3:
                break
    start = torch.from_numpy(w)
    loss = losses.get("exponential")
    for tolerance in (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4):  # likewise
        calls = [0]
        counted_map = _Counted(margin_map, calls)
        begin = time.monotonic()
        stop = Stop(tau=end, steps=10**6)
        spec = proximal.Spec(tolerance=tolerance, land=end)
        events = list(flow.follow(counted_map, loss, spec, stop, flow.State(start.clone()), norm_start=radius))
        spent = time.monotonic() - begin
        error = float(np.linalg.norm(direction(events[-1].step.state.weights.numpy()) - reference))
        rows.append(["proximal", tolerance, error, calls[0], 0, spent])
        if error <= 1e-3:
            break
    keys = ("method", "tolerance", "error", "jacobians", "for_differences", "seconds")
    rows = [dict(zip(keys, row, strict=True)) for row in rows]
    for row in rows:
        print(row, flush=True)
    best = {}
    for row in rows:
        if row["error"] <= 1e-3 and row["jacobians"] < best.get(row["method"], {"jacobians": math.inf})["jacobians"]:
            best[row["method"]] = row
    others = min(row["jacobians"] for method, row in best.items() if method != "proximal")
    return {"tau": end, "rows": rows, "best_within_1e-3": best, "ratio": others / best["proximal"]["jacobians"]}


@dataclasses.dataclass(frozen=True)
class _Counted:
    """A map that counts how often its Jacobian is evaluated, for a product or for all rows."""

    of: FunctionMap
    calls: list[int]

    @property
    def degree(self) -> int | None:
        return self.of.degree

    @property
    def unit(self) -> float:
        return self.of.unit

    def values(self, weights, examples=None):
        return self.of.values(weights, examples)

    def rows(self, weights, examples):
        self.calls[0] += 1
        return self.of.rows(weights, examples)

    def precise(self) -> _Counted:
        return self


def run_scaling(options: argparse.Namespace) -> dict[str, Any]:
    """Seconds a step and peak memory, each size in a process of its own.

    Labels are those that the network itself gives at initialization, and its weights are scaled until ℒ < ℓ(0): what a
    step costs does not depend on what the labels mean.
    """
    rows = []
    sizes = [(n, 0.5) for n in (250, 500, 1000, 2000, 4000)] + [(500, width) for width in (0.25, 0.5, 0.75, 1.0)]
    for n, width in sizes:
        command = [sys.executable, __file__, "one", "--examples", str(n), "--width", str(width)]
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


def run_one(options: argparse.Namespace) -> None:
    """One size of `scaling`; prints its row."""
    images = torch.randn(options.examples, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    labels = torch.ones(options.examples)
    margin_map = network_map(images, labels, options.width, 0)
    labels = torch.sign(margin_map.values(margin_map.flatten())[:, 0]).float()
    margin_map = margin_map.on(margin_map.images, labels)
    weights, loss = margin_map.flatten(), losses.get("logistic")
    while float(loss.ln_risk(margin_map.values(weights))) >= loss.ln_at_zero:
        weights = 1.2 * weights
    spec, norm = proximal.Spec(tolerance=0.05), float(weights.norm())
    times = []
    for event in flow.follow(margin_map, loss, spec, Stop(steps=8), flow.State(weights), norm_start=norm):
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


SECTIONS = {"alexnet": run_alexnet, "small": run_small, "scaling": run_scaling, "one": run_one}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("section", choices=SECTIONS)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--variant", default="CIFAR-10, JPEG copy")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tolerance", type=float, default=0.05)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--sgd-seconds", type=float, default=900.0)
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--width", type=float, default=0.5)
    options = parser.parse_args()
    if options.section == "alexnet" and options.images is None:
        parser.error("alexnet: --images PATH is needed")
    torch.set_num_threads(2)
    found = SECTIONS[options.section](options)
    if found is None:
        return
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    words = ["PATH" if word == str(options.images) else word for word in sys.argv[1:]]
    provenance = {"created": now(), "machine": machine(), "threads": 2, "versions": versions()}
    record[options.section] = {**provenance, "command": " ".join(["benchmarks/flow.py", *words]), **found}
    RECORD.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
