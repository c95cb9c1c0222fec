r"""Your own network and data: train, follow the flow, and get direction, margins, alignment and figures.

    import dirconv
    run = dirconv.follow(network, images, labels, degree=2, tau=1.0)
    run.direction; run.path; run.margins; run.kkt(); run.figure("alignment")

The network is followed in evaluation mode, as a function of the flat vector W (D,) of the parameters that require a
gradient. Other parameters are constants: a degree L, f(cW) = c^L f(W), does not count them. Everything runs on a copy,
on the device of the images. The network that was given is never changed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from dirconv import flow as flows
from dirconv import losses, training
from dirconv.errors import UserError
from dirconv.figures import Source, style
from dirconv.geometry import directions
from dirconv.goals import Stop, StopReason
from dirconv.margins import error_rate
from dirconv.margins.network import NetworkMap
from dirconv.measures import Trajectory
from dirconv.options import Train, did_you_mean, modules, parse, plugin
from dirconv.own import _checks, _limit
from dirconv.own._isolation import exact
from dirconv.own._limit import Limit

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclasses.dataclass(frozen=True, repr=False)
class Run:
    """A followed run, on the device of the images. A table is computed when it is first asked for."""

    trajectory: Trajectory  # of snapshots θ, float64, W without a degree; without test data its test map is `train`
    weights: Tensor  # W at the end, (D,), float64
    stop: StopReason  # `stop.describe` says it in words
    record: dict[str, Any]  # the specification of the run, for figures
    tables: dict[str, pd.DataFrame]

    def __repr__(self) -> str:
        end = self.path.iloc[-1]
        risk = f"ln_risk = {end['ln_risk']:.4g}"
        if math.isinf(end["ln_risk"]):
            risk = flows.risk_in_words(end["ln_risk"], end["ln_margin"])
        numbers = ", ".join([*(f"{name} = {end[name]:.4g}" for name in ("tau", "zeta", "cos")), risk])
        title = f"{self.record['specification']['run']}: {len(self.path) - 1} steps"
        return f"<{title}; {numbers}; stopped by {self.stop}: {self.stop.describe}>"

    @property
    def direction(self) -> Tensor:
        """θ = W/‖W‖ at the end, (D,), float64."""
        return directions(self.weights)

    def parameters(self, flat: Tensor | None = None) -> dict[str, Tensor]:
        """A flat vector (D,), by default `direction`, as one tensor a parameter, by its name and in its shape."""
        flat = self.direction if flat is None else flat
        return {block.name: flat[block.start : block.stop].view(block.shape) for block in self.trajectory.blocks}

    @property
    def path(self) -> pd.DataFrame:
        """A row a step: tau, zeta, cos, cos_point, ln_risk, smoothed_margin, …; `dirconv.flow.Step` defines them."""
        return self.table("path")

    @property
    def margins(self) -> pd.DataFrame:
        """A row a snapshot and example: its margin under the normalizations of `dirconv.measures.margins`."""
        return self.table("margins")

    def table(self, name: str) -> pd.DataFrame:
        """The table of a module of `dirconv.measures`, or `homogeneity`.

        UserError for another name, and for `errors` without test data.
        """
        if name == "errors" and self.trajectory.test is self.trajectory.train:
            raise UserError("errors: there are no test data; give follow test=(images, labels)")
        if name not in self.tables:
            with exact():
                self.tables[name] = plugin("measures", name, "table").table(self.trajectory)
        return self.tables[name]

    def kkt(self, polish: bool = False) -> Limit:
        """How near the end is to a KKT point of min ½‖W‖², p_i(W) ≥ 1: multipliers, support examples, ε, δ, margin.

        polish: go on to a KKT point by Newton's method, which takes a smooth network; `distance` says how far it was.

        UserError without a degree, where an example is not classified, and where no KKT point is reached.
        """
        with exact():
            return _limit.of(self.trajectory.train, self.weights, float(self.path["tau"].iloc[-1]), polish)

    def figure(self, name: str, *others: Run) -> Figure:
        """The figure of a module of `dirconv.figures`, for this run and `others`, whose names must differ.

        UserError for an unknown figure, for one that needs more than a run's measures, and for runs of one name.
        """
        module = plugin("figures", name, "figure")
        known = modules("measures")
        if unknown := [table for table in module.FIGURE.tables if table not in known]:
            raise UserError(f"figure: {name} shows {unknown[0]}, which is no measure of a run; choose another figure")
        tables = module.FIGURE.tables_in(known)
        sources = []
        for run in (self, *others):
            at = f"{run.record['specification']['run']}/seed{run.record['specification']['seed']}"
            if at in [source.member for source in sources]:
                raise UserError(f"figure: two runs are called {at}; give follow a name for each")
            sources.append(Source(at, {table: run.table(table) for table in tables}, run.record))
        with style.applied():
            return module.draw(sources)[0]

    def plot(self, path: str | Path, name: str = "alignment", *others: Run) -> None:
        """Save `figure` to `path`, in the format of its suffix: .png, .pdf or .svg."""
        with style.applied():
            self.figure(name, *others).savefig(path)


@exact()
def follow(
    network: nn.Module,
    images: Tensor | np.ndarray,
    labels: Tensor | np.ndarray | Sequence[int],
    *,
    degree: int | None,
    tau: float = math.inf,
    log_inverse_risk: float = math.inf,
    cos: float = math.inf,
    tail: float = 0.0,
    steps: int = 1000,
    loss: str = "logistic",
    flow: dict[str, Any] | None = None,
    train: bool = True,
    learning_rate: float = 0.05,
    momentum: float = 0.9,
    batch: int = 100,
    epochs: int = 400,
    test: tuple[Any, Any] | None = None,
    seed: int = 0,
    name: str | None = None,
) -> Run:
    r"""Train until ℒ < ℓ(0), then follow the gradient flow to the first goal that is reached.

    Data
      network: returns (n, 1) for two classes, (n, K) for K classes; in evaluation mode if that makes a difference.
        Of DataParallel and torch.compile the network inside is followed.
      images: (n, …), what the network takes, a tensor, an array or a table; converted to its precision.
      labels: (n,), ±1 or 0 and 1 for one output, 0 … K−1 for K outputs.
      test: (images, labels), for test errors.
    Problem
      degree: L in f(cW) = c^L f(W), which is checked; None for a network that is not homogeneous: then the flow is
        followed in arc length.
      loss: the name of a loss of `dirconv.losses`.
    Goals
      tau, log_inverse_risk, cos, tail, steps: see `dirconv.goals.Stop` for their units.
    Flow
      flow: the method, a module of `dirconv.flow.methods`, and its options; {"method": "bundle"} by default.
    Training
      train: whether SGD may run. It does not run if ℒ < ℓ(0) already.
      learning_rate, momentum, batch, epochs: see `dirconv.options.Train`.
      seed: orders the examples.
    name: the run's name in figures.

    UserError, in one line, for bad input, for a network that contradicts its degree, for one whose output for an
    example depends on other examples, for one whose backward pass is not its derivative, and if ℒ < ℓ(0) is not
    reached. Autocast, `no_grad` and lower precisions that the caller has set do not act meanwhile.
    """
    sgd = {"learning_rate": learning_rate, "momentum": momentum, "batch": batch, "epochs": epochs}
    goals = {"tau": tau, "log_inverse_risk": log_inverse_risk, "cos": cos, "tail": tail, "steps": steps}
    options, stop = parse(Train, sgd, "follow"), parse(Stop, goals, "follow")
    if not isinstance(flow, dict | None):
        raise UserError(f"flow: must be a mapping of the method and its options, got {flow!r}")
    method = flows.specification({"method": "bundle", **(flow or {})}, "flow")
    if loss not in losses.LOSSES:
        raise UserError(f"loss: unknown {loss!r}{did_you_mean(loss, list(losses.LOSSES))}")
    if degree is not None:
        degree = _checks.whole(degree, "degree", 1, "a whole number above zero, or None")
    seed = _checks.whole(seed, "seed", 0, "a whole number from 0 to 2⁶³ − 1")
    if type(train) is not bool:
        raise UserError(f"train: must be True or False, got {train!r}")
    chosen_loss = losses.get(loss)

    copy, dtype = _checks.copied(network)
    x = _checks.images(images, dtype, "images")
    outputs = _checks.outputs(copy.to(x.device), x)
    if loss == "polynomial" and outputs > 1:
        raise UserError("loss: polynomial is for two classes, a network with one output; use cross_entropy")
    margin_map = NetworkMap(copy, x, _checks.labels(labels, outputs, x, "labels"), degree)
    if method.method in ("bundle", "proximal"):
        margin_map = _checks.comparable(margin_map)
    test_map = margin_map
    if test is not None:
        if not (isinstance(test, tuple | list) and len(test) == 2):
            raise UserError("test: must be a pair, (images, labels)")
        x_test = _checks.images(test[0], dtype, "test images").to(x.device)
        shape, shape_test = tuple(x.shape[1:]), tuple(x_test.shape[1:])
        if shape_test != shape:
            raise UserError(f"test images: must each be shaped {shape} as images are, got {shape_test}")
        test_map = margin_map.on(x_test, _checks.labels(test[1], outputs, x_test, "test labels"))

    rows, snapshots = [], {}
    tables = {"homogeneity": _checks.degree(margin_map, seed)}
    weights, history = _train(margin_map, test_map, chosen_loss, options, seed, train)
    for event in flows.follow(margin_map, chosen_loss, method, stop, flows.State.at_start(weights)):
        rows.append(event.step.row())
        if event.snapshot:
            end = event.step.state.weights
            snapshots[event.step.state.step] = end if degree is None else directions(end)
    trajectory = Trajectory(
        training=history,
        steps=pd.DataFrame(rows).drop_duplicates("step"),  # a step may be shown again
        snapshot_steps=np.array(list(snapshots)),
        weights=torch.stack(list(snapshots.values())),
        train=margin_map,
        test=test_map,
        loss=chosen_loss,
    )
    specification = {
        "run": name or type(network).__name__,
        "seed": seed,
        "model": {"name": type(network).__name__},
        "degree": degree,
        "loss": loss,
        "start": _digest(x, margin_map.labels, weights),
        "flow": dataclasses.asdict(method),
        "stop": goals,
    }
    return Run(trajectory, event.step.state.weights, event.stop, {"specification": specification}, tables)


def _train(
    margin_map: NetworkMap, test_map: NetworkMap, loss: losses.Loss, options: Train, seed: int, allowed: bool
) -> tuple[Tensor, pd.DataFrame]:
    """Train until ℒ < ℓ(0): the weights, and the table `training`, a row an epoch. UserError if it is not reached."""
    start, rows = training.start(margin_map.flatten(), seed), []
    for state in itertools.chain([start], training.epochs(margin_map, loss, options, start)):
        margins = margin_map.values(state.weights)
        ln_risk = float(loss.ln_risk(margins))
        test_error = math.nan if test_map is margin_map else error_rate(test_map.values(state.weights))
        row = {"epoch": state.epoch, "ln_risk": ln_risk, "norm": float(state.weights.norm())}
        rows.append({**row, "train_error": error_rate(margins), "test_error": test_error})
        if ln_risk < loss.ln_at_zero:
            return state.weights, pd.DataFrame(rows)
        above = f"ln ℒ = {ln_risk:.3g} is not below ln ℓ(0) = {loss.ln_at_zero:.3g}"
        if not allowed:
            raise UserError(f"train: {above} at the network's own weights; set train=True or start elsewhere")
        if not math.isfinite(ln_risk):
            at = f"diverged in epoch {state.epoch}" if state.epoch else "starts with weights whose risk is not finite"
            raise UserError(f"learning_rate: training {at}, with {options.learning_rate:g}; lower it, or the weights")
    raise UserError(f"epochs: {above} after {options.epochs}; give more, another learning_rate, or a larger network")


def _digest(*tensors: Tensor) -> str:
    """Identifies data and start: figures compare two runs only if they share it."""
    checksum = hashlib.sha256()
    for tensor in tensors:
        checksum.update(tensor.contiguous().cpu().numpy().tobytes())
    return checksum.hexdigest()[:16]
