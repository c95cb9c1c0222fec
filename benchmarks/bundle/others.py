"""Networks beside AlexNet, each against what people run on it. A part is a function of this module."""

from __future__ import annotations

import argparse
import copy
import math
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from benchmarks.bundle import common
from dirconv.flow.methods import bundle, descent
from dirconv.geometry import directions
from dirconv.goals import Stop
from dirconv.margins.network import NetworkMap

TWO_LAYER = {"name": "fully_connected", "hidden": [1000]}
RATE = 0.01  # of their gradient descent, on the mean loss
SMALL = 1e-4  # standard deviation of their first layer's initial weights
LN_MEAN_LOSS = -40 * math.log(10)  # their most: a mean loss of 10⁻⁴⁰
EPSILON = 0.05
THEIRS, BEFORE, OURS = 1200.0, 1500.0, 1200.0  # seconds
DENSENET = {"name": "densenet", "depth": 10, "growth": 8}
DENSENET_TAU, DENSENET_SECONDS = 0.5, 900.0


def two_layer(options: argparse.Namespace) -> dict[str, Any]:
    """D–1000–1 with ReLU, 500 images: seconds from ℒ < ℓ(0) to a mean loss of 10⁻⁴⁰ and to ε ≤ 0.05.

    Theirs: full-batch gradient descent of the mean binary cross-entropy (the logistic loss of a margin) at a fixed rate
    from small initial weights, as in nivha/dataset_reconstruction (Haim et al., NeurIPS 2022), in float32. It makes the
    common start too, where ℒ < ℓ(0); that time is recorded and in neither.
    """
    n = common.examples(options, 500)
    margin_map = common.network_map(options, TWO_LAYER, n, chunk=500)
    begun = common.kept(
        options, f"two-layer-start-{n}-{options.seed}", lambda: _until_below(options, margin_map), whenever=True
    )
    if not begun["below"]:
        return {"start": {key: begun[key] for key in ("steps", "seconds", "ln_mean_loss", "below")}}
    start = begun["weights"]
    limit = common.seconds(options, THEIRS)
    theirs = _Descent(margin_map, start)
    theirs.run(limit, math.log(n) + LN_MEAN_LOSS)
    first = _certificate(margin_map, start)
    marks: dict[str, Any] = {}

    def watch(step: Any, spent: float) -> bool:
        if -step.ln_risk >= -LN_MEAN_LOSS - math.log(n):
            marks.setdefault("loss", {"seconds": spent, "tau": step.tau})
        if step.landed and "epsilon" not in marks:
            found = _certificate(margin_map, step.state.weights)
            along.append({"seconds": spent, "tau": step.tau, "ln_inverse_risk": -step.ln_risk, **found})
            if found["epsilon"] <= EPSILON:
                marks["epsilon"] = {"seconds": spent, "tau": step.tau, "ln_inverse_risk": -step.ln_risk}
            if found["epsilon_relative"] <= EPSILON:
                marks.setdefault("epsilon_relative", along[-1])
        return "loss" in marks and "epsilon" in marks

    along: list[dict[str, Any]] = []
    run = common.followed(
        margin_map,
        bundle.Spec(tolerance=options.tolerance),
        start,
        Stop(tau=common.FARTHEST, steps=10**6),
        common.seconds(options, OURS),
        watch=watch,
    )
    law = theirs.law()
    to_loss = law(-LN_MEAN_LOSS - math.log(n))
    found = {
        **common.of(options, TWO_LAYER, n, start),
        "start": {key: begun[key] for key in ("steps", "seconds", "ln_mean_loss", "below")} | {"certificate": first},
        "theirs": {
            "rate": RATE,
            "first_layer_std": SMALL,
            "steps": theirs.steps,
            "seconds": theirs.seconds,
            "seconds_a_step": theirs.seconds / theirs.steps,
            "path": theirs.path,
            "end": _certificate(margin_map, theirs.weights()),
            "law": law.words,
            "ln_seconds_to_loss": to_loss,
        },
        "bundle": {"tolerance": options.tolerance, **run.summary(), "marks": marks, "along": along},
    }
    if "loss" in marks:
        found["ln_ratio_to_loss"] = to_loss - math.log(marks["loss"]["seconds"])
    if "epsilon" in marks:
        # both follow the flow from one point: theirs is as near where its loss is as small
        to_epsilon = law(marks["epsilon"]["ln_inverse_risk"])
        found["theirs"]["ln_seconds_to_epsilon"] = to_epsilon
        found["ln_ratio_to_epsilon"] = to_epsilon - math.log(marks["epsilon"]["seconds"])
    print({key: value for key, value in found.items() if key.startswith("ln_")}, marks, flush=True)
    return found


def _certificate(margin_map: NetworkMap, weights: Tensor) -> dict[str, Any]:
    return common.numbers(common.certified(margin_map, directions(weights)))


class _Descent:
    """Their loop, as they write it: an optimizer over a float32 network, all examples at once."""

    def __init__(self, margin_map: NetworkMap, weights: Tensor) -> None:
        self._network = copy.deepcopy(margin_map.network)
        start = 0
        with torch.no_grad():
            for parameter in self._network.parameters():
                parameter.copy_(weights[start : start + parameter.numel()].view(parameter.shape))
                start += parameter.numel()
        self._images, self._targets = margin_map.images, (margin_map.labels > 0).float()
        self._optimizer = torch.optim.SGD(self._network.parameters(), lr=RATE)
        self.steps, self.seconds, self.path = 0, 0.0, []

    def run(self, limit: float, ln_goal: float) -> None:
        """Steps until ln ℒ of the sum is at most `ln_goal`, or the time is up; its path at log-spaced steps."""
        begin, n, at = time.perf_counter(), len(self._images), 1.0
        while True:
            mean = binary_cross_entropy_with_logits(self._network(self._images)[:, 0], self._targets)
            ln_risk = math.log(n * max(mean.item(), 1e-300))
            self.seconds = time.perf_counter() - begin
            done = self.seconds > limit or ln_risk <= ln_goal
            if self.steps >= at or done or self.steps == 0:
                self.path.append({"steps": self.steps, "seconds": round(self.seconds, 3), "ln_inverse_risk": -ln_risk})
                at = max(self.steps + 1, 1.2 * self.steps)
            if done:
                return
            self._optimizer.zero_grad()
            mean.backward()
            self._optimizer.step()
            self.steps += 1

    def weights(self) -> Tensor:
        """W, (D,), float64."""
        return torch.cat([parameter.detach().double().flatten() for parameter in self._network.parameters()])

    def law(self) -> _Law:
        """How the loss falls with the steps at the end of the path."""
        return _Law(self.path)


class _Law:
    """ln(1/ℒ) = a + b ln(steps), b fitted to the last factor of four in steps; beyond the path it is extrapolated.

    Gradient descent of a fixed rate lets ℒ fall like 1/steps up to powers of logarithms, so that b tends to one from
    above; soon after the start, where the fit may give less, one is taken. So their time is not overestimated.
    """

    def __init__(self, path: list[dict[str, Any]]) -> None:
        self._path = path
        late = [row for row in path if row["steps"] >= max(1, path[-1]["steps"] / 4)]
        x, y = np.log([row["steps"] for row in late]), [row["ln_inverse_risk"] for row in late]
        fitted = float(np.polyfit(x, y, 1)[0]) if len(late) > 1 else 1.0
        self._b = max(fitted, 1.0)
        self._a = y[-1] - self._b * x[-1]
        self._ln_a_step = math.log(path[-1]["seconds"] / path[-1]["steps"])
        self.words = {"fitted": fitted, "exponent": self._b, "constant": self._a, "from_steps": late[0]["steps"]}

    def __call__(self, ln_inverse_risk: float) -> float:
        """ln of the seconds until ln(1/ℒ) is that large; of the path where it went so far."""
        for row in self._path[1:]:
            if row["ln_inverse_risk"] >= ln_inverse_risk:
                return math.log(max(row["seconds"], 1e-3))
        return (ln_inverse_risk - self._a) / self._b + self._ln_a_step


def _until_below(options: argparse.Namespace, margin_map: NetworkMap) -> dict[str, Any]:
    """From their initial weights to ℒ < ℓ(0)."""
    generator = torch.Generator().manual_seed(options.seed)
    first, last = (parameter for parameter in margin_map.network.parameters())
    width = last.shape[1]
    initial = [
        SMALL * torch.randn(first.shape, generator=generator),
        (2 * torch.rand(last.shape, generator=generator) - 1) / width**0.5,  # torch's default
    ]
    theirs = _Descent(margin_map, torch.cat([part.double().flatten() for part in initial]))
    limit = 60.0 if options.quick else BEFORE
    theirs.run(limit, common.LOSS.ln_at_zero - 1e-3)
    end, n = theirs.path[-1], len(margin_map.images)
    return {
        "weights": theirs.weights(),
        "steps": theirs.steps,
        "seconds": theirs.seconds,
        "ln_mean_loss": -end["ln_inverse_risk"] - math.log(n),
        "below": -end["ln_inverse_risk"] < common.LOSS.ln_at_zero,
    }


def densenet(options: argparse.Namespace) -> dict[str, Any]:
    """Depth 10, growth 8, batch statistics over 100 images: `bundle` to τ = 0.5, `descent` for the same time."""
    n = common.examples(options, 100)
    margin_map, start = common.started(options, DENSENET, n, rate=0.1, chunk=100)
    rows = []
    spent = common.seconds(options, DENSENET_SECONDS)
    for spec in (bundle.Spec(tolerance=options.tolerance), descent.Spec(tolerance=1e-4)):
        run = common.followed(margin_map, spec, start, Stop(tau=DENSENET_TAU, steps=10**6), spent)
        spent = run.end["seconds"]  # the other method gets as much
        rows.append({"method": spec.method, "tolerance": spec.tolerance, **run.summary(40)})
        print({key: value for key, value in rows[-1].items() if key != "path"}, flush=True)
    return {**common.of(options, DENSENET, n, start), "rows": rows}
