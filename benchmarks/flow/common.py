"""What the sections of this benchmark share: the network on images, a start, a run that is timed."""

from __future__ import annotations

import argparse
import dataclasses
import math
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from dirconv import data, flow, models, training
from dirconv.goals import Stop
from dirconv.losses import Loss
from dirconv.margins import MarginMap
from dirconv.margins.network import NetworkMap
from dirconv.models import alexnet
from dirconv.options import Train
from dirconv.stages import data as data_stage

CLASSES = {"negative": ["airplane"], "positive": ["automobile"]}
EXAMPLES = 1000
MARKS = (1e2, 1e3, 800 * math.log(10), 1e4, 1e5, 1e6, 1e7, 1e8, 1e9)  # of ln(1/ℒ), at which the time is noted


def images(options: argparse.Namespace, examples: int = EXAMPLES) -> tuple[torch.Tensor, torch.Tensor]:
    """The first images of two CIFAR-10 classes from a folder or zip, prepared as a study prepares them; labels ±1."""
    source = {
        "source": "folder",
        "variant": options.variant,
        "classes": CLASSES,
        "train": examples,
        "path": str(options.images),
    }
    with tempfile.TemporaryDirectory() as folder:
        data_stage.run(dataclasses.asdict(data.specification(source, "--images")), Path(folder), "cifar")
        found, labels, _, _ = data.load(Path(folder)).tensors(torch.float32)
    return found, labels


def network_map(images: torch.Tensor, labels: torch.Tensor, width: float, seed: int, scale: float = 1.0) -> NetworkMap:
    """Homogeneous AlexNet on images, in float32."""
    network = models.create(alexnet.Spec(width=width), 3, 1, torch.Generator().manual_seed(seed), scale)
    laid_out = images.contiguous(memory_format=torch.channels_last)
    return NetworkMap(network.to(memory_format=torch.channels_last), laid_out, labels, 6, chunk=250)


def trained(margin_map: NetworkMap, loss: Loss, seed: int, rate: float = 0.02) -> torch.Tensor:
    """Weights at the end of the first epoch of SGD after which ℒ < ℓ(0)."""
    for state in training.epochs(
        margin_map, loss, Train(learning_rate=rate), training.start(margin_map.flatten(), seed)
    ):
        if float(loss.ln_risk(margin_map.values(state.weights))) < loss.ln_at_zero:
            break
    return state.weights


def followed(
    margin_map: MarginMap, loss: Loss, spec: Any, start: torch.Tensor, stop: Stop, seconds: float
) -> dict[str, Any]:
    """A run until its goal or its time is up: where it came to, when it passed each mark, where it landed."""
    begin = time.monotonic()
    path, marks, directions = [], {}, {}
    for event in flow.follow(margin_map, loss, spec, stop, flow.State.at_start(start.clone())):
        step, spent = event.step, time.monotonic() - begin
        path.append(
            {
                "seconds": round(spent, 2),
                "tau": step.tau,
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
            directions[round(step.tau, 6)] = step.state.weights / step.norm
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


def angle(one: torch.Tensor, other: torch.Tensor) -> float:
    """Between two unit vectors, in radians."""
    return 2 * math.asin(min(float((one - other).norm()) / 2, 1.0))


def compared(one: dict[str, Any], other: dict[str, Any]) -> dict[str, float]:
    """Angle (rad) between two runs' directions at every τ where both landed."""
    first, second = one["directions"], other["directions"]
    return {f"{tau:g}": round(angle(first[tau], second[tau]), 5) for tau in sorted(first.keys() & second.keys())}
