"""Numbers: losses that are not finite, dead networks, data that no network can tell apart.

Wanted: one line that says what to change, or a stop reason of `dirconv.goals.StopReason` and claims `inconclusive`.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import functools
import json
import math
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml
from PIL import Image
from torch import nn

import dirconv as package
from benchmarks.faults.common import ALEXNET, CONFIG, GOOD, RESULTS, ROOT, STUDY, End, judge, said, trials
from dirconv import artifacts
from dirconv.claims import registry
from dirconv.errors import UserError
from dirconv.goals import GOALS, StopReason
from dirconv.stages import data, flow, homogeneity, measure, train
from dirconv.study import validate

RUN = "alexnet/seed0"
FEW = {
    "source": "folder",
    "path": "images",
    "classes": {"negative": ["cat"], "positive": ["dog"]},
    "train": 8,
    "test": 4,
}


def run(options: argparse.Namespace) -> None:
    """Every case once."""
    named = list(CASES.items())

    def one(number: int, draw: random.Random) -> End:
        kind, call = named[number]
        folder = options.work / "numbers"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        answer = said(call, folder)
        outcome = answer.outcome(0, 2)
        if answer.code == 0 and outcome == GOOD and not json.loads(answer.out.splitlines()[-1])["typed"]:
            outcome = "unnamed"
        return End(kind, outcome, (answer.error if answer.code else answer.out).strip()[-600:])

    trials(options, "numbers", COUNT, one)


# ------------------------------------------------------------------------------------- a study of eight tiny images


def studied(changes: dict[str, Any], equal: bool = False, few: dict[str, Any] | None = None) -> int:
    """Follow the study in the working directory; typed: whether its stop is a reason and no claim is decided.

    changes: of the run. equal: all images are the same. few: changes of the data.
    """
    draw = torch.Generator().manual_seed(0)
    for part, count in (("train", 4), ("test", 2)):
        for name in ("cat", "dog"):
            Path("images", part, name).mkdir(parents=True)
            for number in range(count):
                pixels = torch.randint(0, 256, (32, 32, 3), generator=draw, dtype=torch.uint8)
                pixels = torch.arange(32 * 32 * 3, dtype=torch.uint8).view(32, 32, 3) if equal else pixels
                Image.fromarray(pixels.numpy()).save(Path("images", part, name, f"{number}.png"))
    one = {**ALEXNET, "seeds": [0], "train": {"learning_rate": 0.05, "batch": 4, "epochs": 4}, "stop": {"steps": 3}}
    values = {**STUDY, "data": {"digits": {**FEW, **(few or {})}}, "runs": {"alexnet": merged(one, changes)}}
    values["problems"] = {}
    Path("config").mkdir()
    shutil.copy(ROOT / "config" / "claims.yaml", "config")
    CONFIG.write_text(yaml.safe_dump(values), encoding="utf-8")
    try:
        study = validate.load(CONFIG)
        spec, split, check = study.specifications, RESULTS / "data/digits", RESULTS / "measures/alexnet/homogeneity"
        start, trajectory, last = RESULTS / "starts" / RUN, RESULTS / "runs" / RUN, (Path("checkpoints"), Path("log"))
        data.run(spec.data("digits"), split, "digits")
        homogeneity.run(spec.network("alexnet", 0), check)
        train.run(spec.train("alexnet", 0), split, check, start, *last)
        flow.run(spec.flow("alexnet", 0), split, start, trajectory, *last)
        measure.run(spec.flow("alexnet", 0), split, start, trajectory, RESULTS / "measures" / RUN)
        judge(study, *study.claims)
    except UserError as error:
        os.write(2, f"dirconv: error: {error}\n".encode())
        return 2
    stop = artifacts.read_manifest(trajectory)["stop"]
    verdicts = {
        name: artifacts.read_json(RESULTS / "claims" / f"{name}.json")["verdict"]
        for name, claim in study.claims.items()
        if registry.rule(claim.rule).RULE.assumption
    }
    typed = stop in set(StopReason) and set(verdicts.values()) == {"inconclusive"}
    print(json.dumps({"typed": typed, "stop": stop, "verdicts": verdicts}))
    return 0


def merged(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A copy of the values with changes, key by key."""
    made = copy.deepcopy(values)
    for key, value in changes.items():
        made[key] = merged(made.get(key, {}), value) if isinstance(value, dict) and key != "flow" else value
    return made


# ------------------------------------------------------------------------------------------- a network of one's own


def followed(network: Callable[[], nn.Module], labels: list[int], equal: bool = False, **more: Any) -> int:
    """`dirconv.follow`; typed: whether it stops for a reason."""
    torch.manual_seed(0)
    images = torch.ones(len(labels), 3) if equal else torch.randn(len(labels), 3, dtype=torch.float64)
    words = {"degree": 1, "tau": 0.05, "steps": 20, "epochs": 20, **more}
    try:
        with contextlib.redirect_stdout(None):
            found = package.follow(network(), images, labels, **words)
            shown = repr(found)
    except UserError as error:
        os.write(2, f"dirconv: error: {error}\n".encode())
        return 2
    finite = bool(torch.isfinite(found.direction).all()) or found.stop not in GOALS
    print(json.dumps({"typed": found.stop in set(StopReason) and finite, "stop": found.stop, "shown": shown}))
    return 0


def linear(value: float) -> nn.Module:
    """A linear map with all weights alike."""
    network = nn.Linear(3, 1, bias=False)
    nn.init.constant_(network.weight, value)
    return network


class Pole(nn.Module):
    """A homogeneous map that is not finite where the first weight is zero."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([0.0, 1.0, 1.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x @ self.weight**2 / self.weight[0]).unsqueeze(1)


def dead() -> nn.Module:
    """Two layers whose units are zero on all images."""
    network = nn.Sequential(nn.Linear(3, 4, bias=False), nn.ReLU(), nn.Linear(4, 1, bias=False))
    nn.init.zeros_(network[0].weight)
    return network


METHODS = ("bundle", "proximal", "descent")
CASES: dict[str, Callable[[], int]] = {
    "training diverges": functools.partial(studied, {"train": {"learning_rate": 1e6}}),
    "training diverges at once": functools.partial(studied, {"train": {"learning_rate": 1e30}}),
    "weights that overflow": functools.partial(studied, {"train": {"scale": 1e20}}),
    "weights that vanish": functools.partial(studied, {"train": {"scale": 1e-30}}),
    "equal images with opposite labels": functools.partial(studied, {}, equal=True),
    **{
        f"equal images with opposite labels, {method}": functools.partial(
            studied, {"flow": {"method": method}}, equal=True
        )
        for method in METHODS
    },
    "training that gives up": functools.partial(studied, {"train": {"epochs": 0}}),
    "one example": functools.partial(studied, {}, few={"train": 1}),
    "one class": functools.partial(studied, {}, few={"classes": {"negative": ["cat"], "positive": []}}),
    "one class that is not there": functools.partial(
        studied, {}, few={"classes": {"negative": ["cat"], "positive": ["horse"]}}
    ),
    "follow: one example": functools.partial(followed, lambda: linear(0.1), [1]),
    "follow: one class": functools.partial(followed, lambda: linear(0.1), [1, 1, 1]),
    "follow: equal images with opposite labels": functools.partial(followed, lambda: linear(0.1), [1, -1], equal=True),
    "follow: weights of zero": functools.partial(followed, lambda: linear(0.0), [1, -1]),
    "follow: weights that overflow": functools.partial(followed, lambda: linear(1e38), [1, -1]),
    "follow: a rate that overflows": functools.partial(followed, lambda: linear(-1.0), [1, -1], learning_rate=1e300),
    "follow: a map with a pole": functools.partial(followed, Pole, [1, -1]),
    "follow: not a number": functools.partial(followed, lambda: linear(math.nan), [1, -1]),
    "follow: a dead network": functools.partial(followed, dead, [1, -1, 1, -1], degree=2),
    **{
        f"follow: a dead network, {method}": functools.partial(
            followed, dead, [1, 1], degree=2, train=False, flow={"method": method}
        )
        for method in METHODS
    },
}
COUNT = len(CASES)
