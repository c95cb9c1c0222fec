"""From a problem's margins and start to its tables `path` and `decomposition`, one seed after the other."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from dirconv import flow, losses
from dirconv.flow import Event, State, Step, rates
from dirconv.flow.methods import bundle, rk4
from dirconv.flow.point import LARGEST_LN, resolution
from dirconv.geometry import angles, directions
from dirconv.goals import Stop, StopReason
from dirconv.losses import Loss
from dirconv.margins.function import FunctionMap
from dirconv.problems import Followed
from dirconv.problems._options import Flowing

NUMERICS = 2
GOES_THROUGH = ("flow", "flow.bundle", "flow.rk4", "function_map", "geometry", "losses", "point", "rates")
DESCENT = 0.02  # step size before ℒ < ℓ(0), in relative arc length
MOST_STEPS = 2_000  # several times what a flow to τ = 20 takes; one whose steps do not settle ends here


@dataclasses.dataclass(frozen=True)
class Kept:
    """One seed's path, and its directions θ at the k points where they were recorded."""

    path: pd.DataFrame
    at: pd.DataFrame  # snapshot, step, tau, ln_risk, norm: a row a kept point
    theta: Tensor  # (k, D)
    map: FunctionMap
    loss: Loss
    stop: str

    @property
    def ln_scales(self) -> np.ndarray:
        """ln s, s = ‖W‖^L, at the kept points, (k,)."""
        return self.map.degree * np.log(self.at["norm"].to_numpy())

    def margins(self) -> Tensor:
        """p(θ) at the kept points, (k, n)."""
        return torch.stack([self.map.values(theta)[:, 0] for theta in self.theta])

    def to_ends(self, vectors: np.ndarray | None = None) -> dict[str, list[float]]:
        """Angles of the k rows of `vectors` (θ by default) to the first row and to the last."""
        vectors = self.theta.numpy() if vectors is None else vectors
        return {"to_start": angles(vectors, vectors[0]), "to_end": angles(vectors, vectors[-1])}

    def followed(self, **tables: Any) -> Followed:
        """The seed's answer: the table `path` and these, each given as a table, as its columns or as its rows."""
        return Followed({"path": self.path, **{name: pd.DataFrame(rows) for name, rows in tables.items()}}, self.stop)

    def decomposition(self) -> pd.DataFrame:
        """The table `decomposition` at every kept point with ℒ < ℓ(0); see `dirconv.measures.decomposition`."""
        parts = []
        for row, theta, ln_scale in zip(self.at.to_dict("records"), self.theta, self.ln_scales, strict=True):
            if row["ln_risk"] < self.loss.ln_at_zero:
                margins, pullback = self.map.linearize(theta)
                velocity = pullback(self.loss.weights(margins, ln_scale))
                speeds = self.map.rates(theta, velocity)
                blur = {"resolution": resolution(self.map, margins) * math.exp(min(ln_scale, LARGEST_LN))}
                sides = rates.decompose(self.loss, self.map.degree, theta, margins, velocity, speeds, ln_scale)
                parts += [{**row, **blur, **side} for side in sides]
        return pd.DataFrame(parts, columns=[*self.at.columns, "resolution", *rates.FIELDS])


def run(
    spec: Flowing, margins: Callable[..., Tensor], data: Sequence[tuple[np.ndarray, ...]], starts: list[np.ndarray]
) -> Iterator[Kept]:
    """Follow the flow of every seed's `margins` (W (D,), *data of one seed) → (n, 1) from its start (D,).

    `spec` is a problem's: its degree, loss and flow options are used. Each of a seed's data has a row an example.
    """
    for parts, start in zip(data, starts, strict=True):
        of_seed = FunctionMap(margins, spec.degree, tuple(torch.from_numpy(part) for part in parts))
        yield follow(of_seed, losses.get(spec.loss), torch.from_numpy(start), spec)


def descend(margin_map: FunctionMap, loss: Loss, start: Tensor, most_steps: int) -> Iterator[Step]:
    """The flow from initialization, (D,), to the first step with ℒ < ℓ(0): every step, the start among them.

    The classical Runge–Kutta method, at most `most_steps` steps. It ends earlier where the gradient vanishes, as where
    every neuron is dead: the last step is then the one before.
    """
    torch.set_num_threads(1)
    stop, spec = Stop(steps=most_steps), rk4.Spec(step=DESCENT)
    for event in flow.follow(margin_map, loss, spec, stop, State.at_start(start)):
        if event.stop is StopReason.NOT_FINITE and event.step.state.step > 0:
            return
        yield event.step
        if event.step.ln_risk < loss.ln_at_zero:
            return


def follow(margin_map: FunctionMap, loss: Loss, start: Tensor, options: Flowing) -> Kept:
    """Follow one seed's flow from `start` (D,) to ℒ < ℓ(0), where τ = 0, and from there to `options.tau`.

    A seed that does not come below ℓ(0) stops where τ = 0, with the reason `steps`: there the theorems say nothing.
    """
    *_, first = descend(margin_map, loss, start, options.descent)
    below = first.ln_risk < loss.ln_at_zero
    stop = Stop(tau=options.tau, steps=MOST_STEPS)
    spec = bundle.Spec(tolerance=options.tolerance, land=options.land)
    events: list[Event] = []
    for event in flow.follow(margin_map, loss, spec, stop, State.at_start(first.state.weights)):
        if events and event.step.state.step == events[-1].step.state.step:  # shown again, where no step can be taken
            events.pop()
        events.append(event)
        if not below:
            break
    kept = [event.step for event in events if event.step.state.step == 0 or event.step.landed or event.stop is not None]
    path = flow.path_table(pd.DataFrame([event.step.row() for event in events]), margin_map.degree, loss)
    at = path.loc[[step.state.step for step in kept], ["step", "tau", "ln_risk", "norm"]].reset_index(drop=True)
    at.insert(0, "snapshot", np.arange(len(at)))
    theta = torch.stack([directions(step.state.weights) for step in kept])
    return Kept(path, at, theta, margin_map, loss, str(events[-1].stop if below else StopReason.STEPS))
