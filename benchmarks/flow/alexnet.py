"""Half-width AlexNet on 1,000 images: how far in which time, and whether half the tolerance agrees."""

from __future__ import annotations

import argparse
import dataclasses
import time
from typing import Any

from benchmarks.flow import common
from dirconv import losses
from dirconv.flow.methods import proximal, sgd
from dirconv.goals import Stop
from dirconv.margins import Pullback
from dirconv.margins.network import NetworkMap

WIDTH = 0.5


@dataclasses.dataclass(frozen=True)
class _Timed(NetworkMap):
    """Notes what forward passes over all examples take: the record needs them, SGD itself does not."""

    spent: list[float] = dataclasses.field(default_factory=list)

    def linearize(self, weights) -> tuple[Any, Pullback]:
        begin = time.monotonic()
        found = super().linearize(weights)
        if len(self.images) == common.EXAMPLES:
            self.spent.append(time.monotonic() - begin)
        return found


def run(options: argparse.Namespace) -> dict[str, Any]:
    """The proximal method at a tolerance and at half of it, loss-scaled SGD; then other seeds, for the spread."""
    images, labels = common.images(options)
    loss = losses.get("logistic")
    goal, tolerance = Stop(tau=2.5, steps=10**6), options.tolerance
    found: dict[str, Any] = {"starts": {}, "runs": {}}
    runs = found["runs"]

    def proximally(name: str, margin_map: NetworkMap, start: Any, tolerance: float, seconds: float) -> None:
        runs[name] = common.followed(margin_map, loss, proximal.Spec(tolerance=tolerance), start, goal, seconds)
        print(name, runs[name]["end"], flush=True)

    for seed in options.seeds:
        margin_map = common.network_map(images, labels, WIDTH, seed)
        start = common.trained(margin_map, loss, seed)
        found["starts"][seed] = {"ln_risk": float(loss.ln_risk(margin_map.values(start)))}
        proximally(f"proximal {tolerance:g}, seed {seed}", margin_map, start, tolerance, options.seconds)
        if seed != options.seeds[0]:
            continue
        half = tolerance / 2
        proximally(f"proximal {half:g}, seed {seed}", margin_map, start, half, 2 * options.seconds)
        found["angle_between_tolerances"] = common.compared(*runs.values())
        timed = _Timed(**{field.name: getattr(margin_map, field.name) for field in dataclasses.fields(margin_map)})
        mark = Stop(log_inverse_risk=1.05 * common.MARKS[2], steps=10**6)
        name = f"sgd, seed {seed}"
        runs[name] = common.followed(timed, loss, sgd.Spec(seed=seed), start, mark, options.sgd_seconds)
        runs[name]["seconds_forward_over_all_examples"] = round(sum(timed.spent), 1)
        print(name, runs[name]["end"], flush=True)
    for each in runs.values():
        del each["directions"]
    return {
        "data": {"variant": options.variant, "classes": common.CLASSES, "train": common.EXAMPLES},
        "network": {"name": "alexnet", "width": WIDTH, "parameters": len(start)},
        **found,
    }
