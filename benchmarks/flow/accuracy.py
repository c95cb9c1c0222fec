"""The error of a direction against the tolerance, where ReLU kinks and changing support make the velocity rough.

Quarter-width AlexNet. At τ = 0.0125 the reference is the classical Runge–Kutta method at two step sizes, which shares
nothing with the proximal method but the margin map; further on, where explicit steps are too many, it is the proximal
method at the finest tolerance.
"""

from __future__ import annotations

import argparse
import math
from typing import Any

import numpy as np
import torch

from benchmarks.flow import common
from dirconv import flow, losses
from dirconv.flow.methods import proximal, rk4
from dirconv.goals import Stop

WIDTH = 0.25
NEAR, FAR = 0.0125, 0.2  # τ
LADDER = (0.05, 0.025, 0.0125, 0.00625, 0.003)  # tolerances
EXPLICIT = (4e-4, 2e-4)  # relative arc length


def _explicitly(margin_map: Any, loss: Any, start: torch.Tensor, size: float) -> tuple[torch.Tensor, int]:
    """Direction at τ = NEAR, on the chord of the step that passes it, and how many steps that took."""
    before, tau_before = start / start.norm(), 0.0
    spec, stop = rk4.Spec(step=size), Stop(tau=NEAR, steps=10**6)
    for event in flow.follow(margin_map, loss, spec, stop, flow.State.at_start(start.clone())):
        tau, direction = event.step.tau, event.step.state.weights / event.step.norm
        if tau >= NEAR:
            mixed = before + (NEAR - tau_before) / (tau - tau_before) * (direction - before)
            return mixed / mixed.norm(), event.step.state.step
        before, tau_before = direction, tau
    raise RuntimeError(f"the explicit method stopped at τ = {tau}")


def run(options: argparse.Namespace) -> dict[str, Any]:
    """A row for each tolerance; the exponent of the error in the number of steps."""
    images, labels = common.images(options)
    seed, loss = options.seeds[0], losses.get("logistic")
    margin_map = common.network_map(images, labels, WIDTH, seed)
    start = common.trained(margin_map, loss, seed)
    (coarse, _), (explicit, steps) = (_explicitly(margin_map, loss, start, size) for size in EXPLICIT)
    rows, directions = [], []
    for tolerance in LADDER:
        row: dict[str, Any] = {"tolerance": tolerance}
        for tau in (NEAR, FAR):
            spec, stop = proximal.Spec(tolerance=tolerance, land=tau), Stop(tau=tau, steps=10**6)
            found = common.followed(margin_map, loss, spec, start, stop, math.inf)
            row[f"{tau:g}"] = {key: found[key] for key in ("steps", "evaluations", "jacobians")}
            row[f"{tau:g}"] |= {key: found["end"][key] for key in ("seconds", "zeta", "cos", "cos_point")}
            if tau == NEAR:
                row["error_near"] = common.angle(found["directions"][tau], explicit)
        directions.append(found["directions"][FAR])
        rows.append(row)
        print(row, flush=True)
    for row, direction in zip(rows[:-1], directions[:-1], strict=True):
        row["distance_far"] = common.angle(direction, directions[-1])

    def order(tau: float, key: str, of: list[dict[str, Any]]) -> float:
        points = [(math.log(row[f"{tau:g}"]["steps"]), math.log(row[key])) for row in of]
        return -float(np.polyfit(*zip(*points, strict=True), 1)[0])

    return {
        "data": {"variant": options.variant, "classes": common.CLASSES, "train": common.EXAMPLES},
        "network": {"name": "alexnet", "width": WIDTH, "parameters": len(start)},
        "seed": seed,
        "explicit": {"step": EXPLICIT[1], "steps": steps, "angle_to_twice_the_step": common.angle(explicit, coarse)},
        "rows": rows,
        "order_near": order(NEAR, "error_near", rows),
        "order_far": order(FAR, "distance_far", rows[:-1]),
    }
