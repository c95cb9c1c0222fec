"""What the parts share: a network on images with its start, a run that is timed, chords, what is kept between parts."""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import math
import resource
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks.flow import common as flows
from dirconv import flow, kkt, losses, models
from dirconv.flow.methods import bundle, proximal
from dirconv.geometry import angle, directions
from dirconv.goals import Stop
from dirconv.losses import Loss
from dirconv.margins import MarginMap
from dirconv.margins.network import NetworkMap
from dirconv.provenance import commit

RELU = {"name": "alexnet", "width": 0.25}
LOSS = losses.get("logistic")
FARTHEST = 300.0  # τ; ‖W‖² leaves float64 near τ = 350
QUICK_EXAMPLES, QUICK_SECONDS = 40, 6.0  # with --quick
SLACKS = (1e-4, 1e-3, 1e-2, 1e-1, None)  # of the certificate: which margins may have a multiplier; None: linearised
BY_CHORDS = 0.5  # τ from which tan ∠ is held against the speed by chords
WITHIN = 0.05  # their relative difference that is asked for


def landing(k: int, per_doubling: int = bundle.Spec().land) -> float:
    """The k-th τ at which `bundle` ends a step exactly."""
    return 2.0 ** (k / per_doubling) - 1


def examples(options: argparse.Namespace, n: int) -> int:
    """How many examples a part is made with: n, or few with --quick."""
    return min(n, QUICK_EXAMPLES) if options.quick else n


def seconds(options: argparse.Namespace, limit: float) -> float:
    """A limit of time: its --share, and little with --quick."""
    return min(limit, QUICK_SECONDS) if options.quick else limit * options.share


def network_map(options: argparse.Namespace, network: dict[str, Any], n: int, chunk: int = 250) -> NetworkMap:
    """The margin map, in float32, of a network with the seed's weights on the first n images of the two classes."""
    images, labels = flows.images(options, n)
    spec = models.from_options(network)
    module = models.create(spec, 3, 1, torch.Generator().manual_seed(options.seed))
    layout = torch.channels_last if images.dim() == 4 and spec.name == "alexnet" else torch.contiguous_format
    module, images = module.to(memory_format=layout), images.contiguous(memory_format=layout)
    return NetworkMap(module, images, labels, spec.degree, spec.coupled, chunk=chunk)


def started(
    options: argparse.Namespace, network: dict[str, Any], n: int, *, rate: float = 0.02, chunk: int = 250
) -> tuple[NetworkMap, Tensor]:
    """The map and W₀, where SGD at that rate first ends an epoch with ℒ < ℓ(0); W₀ (D,) is kept for other parts."""
    margin_map = network_map(options, network, n, chunk)
    words = "-".join(str(value) for value in network.values())

    def train() -> dict[str, Any]:
        return {"weights": flows.trained(margin_map, LOSS, options.seed, rate)}

    return margin_map, kept(options, f"start-{words}-{n}-{options.seed}", train, whenever=True)["weights"]


def of(options: argparse.Namespace, network: dict[str, Any], n: int, start: Tensor, **more: Any) -> dict[str, Any]:
    """What a section says of its data, network and start."""
    return {
        "data": {"variant": options.variant, "classes": flows.CLASSES, "train": n},
        "network": {**network, "parameters": len(start)},
        "seed": options.seed,
        **({} if options.share == 1 else {"share_of_time_limits": options.share}),
        **more,
    }


def kept(
    options: argparse.Namespace,
    name: str,
    make: Callable[[], dict[str, Any]],
    *,
    whenever: bool = False,
    fresh: bool = False,
) -> dict[str, Any]:
    """What `make` gives, from a file in --work if a usable one is there.

    whenever: one of any commit serves. fresh: none does.
    """
    found = None if fresh else saved(options, name)
    if found is not None and (whenever or usable(options, found)):
        return found
    made = {**make(), "commit": commit()}
    options.work.mkdir(parents=True, exist_ok=True)
    torch.save(made, options.work / f"{name}.pt")
    return made


def usable(options: argparse.Namespace, found: dict[str, Any]) -> bool:
    """Whether this very code made what was kept: the same commit without changes; with --resume any code will do."""
    made_by = found["commit"]
    return options.resume or (made_by is not None and made_by == commit() and not made_by.endswith("+"))


def saved(options: argparse.Namespace, name: str) -> dict[str, Any] | None:
    """What `kept` keeps under a name, whatever made it; None if there is nothing."""
    path = options.work / f"{name}.pt"
    return torch.load(path, weights_only=True) if path.exists() else None


@dataclasses.dataclass
class Run:
    """A run that was timed."""

    path: list[dict[str, Any]]  # a row a step, the start first
    landings: dict[float, Tensor]  # θ (D,) at the start and where steps landed, by τ
    weights: Tensor  # W at the end, (D,)
    counts: dict[str, int]  # steps, evaluations, jacobians
    stop: str
    peak_gib: float  # of the process, by the run's end
    started_at: float  # seconds at which the clock of the limit started

    @property
    def end(self) -> dict[str, Any]:
        """The last row of the path."""
        return self.path[-1]

    def summary(self, rows: int = 80) -> dict[str, Any]:
        """What the record keeps: no weights, and of a long path every so many steps."""
        every = max(1, len(self.path) // rows)
        peak = round(self.peak_gib, 3)
        return {"stop": self.stop, **self.counts, "peak_gib": peak, "end": self.end, "path": self.path[::every]}


def followed(
    margin_map: MarginMap,
    spec: flow.Spec,
    start: Tensor,
    stop: Stop,
    limit: float = math.inf,
    *,
    clock_from: float = 0.0,
    loss: Loss = LOSS,
    watch: Callable[[flow.Step, float], bool] = lambda step, spent: False,
) -> Run:
    """A run from W₀ = `start` (D,) to a goal, or until `limit` seconds after it passed τ = `clock_from`.

    watch: called with each step and the seconds so far, what it takes itself left out; true ends the run.
    """
    begin, idle, started_at = time.perf_counter(), 0.0, math.nan
    path, landings, reason = [], {}, "time"
    for event in flow.follow(margin_map, loss, spec, stop, flow.State.at_start(start.clone())):
        step, spent = event.step, time.perf_counter() - begin - idle
        path.append(_row(step, spent))
        if step.landed or not landings:
            landings[round(step.tau, 6)] = directions(step.state.weights)
        if math.isnan(started_at) and step.tau >= clock_from:
            started_at = spent
        paused = time.perf_counter()
        done = watch(step, spent)
        idle += time.perf_counter() - paused
        if event.stop:
            reason = str(event.stop)
        if done or spent - started_at > limit:
            reason = "watch" if done else "time"
            break
    state = step.state
    counts = {"steps": state.step, "evaluations": state.evaluations, "jacobians": state.jacobians}
    return Run(path, landings, state.weights, counts, reason, peak_gib(), started_at)


def _row(step: flow.Step, spent: float) -> dict[str, Any]:
    return {
        "seconds": round(spent, 3),
        "step": step.state.step,
        "tau": step.tau,
        "ln_inverse_risk": -step.ln_risk,
        "ln_margin": step.ln_margin,
        "zeta": step.state.path_length,
        "cos": step.cos,
        "cos_point": step.cos_point,
        "temperature": step.temperature,
        "rejected": step.rejected,
        "landed": step.landed,
    }


def peak_gib() -> float:
    """The most memory that this process has held, in GiB; a part runs in a process of its own."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def by_chords(run: Run) -> list[dict[str, float]]:
    """A row an interval between neighbouring landings: the speed by the chord, and tan ∠ of the steps in it.

    tan: the mean over the interval by the trapezoidal rule; tan_end: of the step that landed.
    """
    tans = [math.sqrt(max(1 - row["cos"] ** 2, 0.0)) / row["cos"] for row in run.path]
    taus = [row["tau"] for row in run.path]
    rows = []
    for (a, before), (b, after) in itertools.pairwise(sorted(run.landings.items())):
        inside = [k for k, tau in enumerate(taus) if a - 1e-6 <= tau <= b + 1e-6]
        area = sum((taus[j] - taus[i]) * (tans[i] + tans[j]) / 2 for i, j in itertools.pairwise(inside))
        chord = angle(after, before)
        mean = area / (b - a)
        rows.append(
            {"from": a, "tau": b, "speed": chord / (b - a), "tan": mean, "tan_end": tans[inside[-1]], "chord": chord}
        )
    return rows


def agreement(rows: list[dict[str, float]], beyond: float = BY_CHORDS) -> dict[str, Any]:
    """How far tan ∠ is from the speed by chords over the intervals that end beyond a τ, relative; and of the sums."""
    late = [row for row in rows if row["tau"] >= beyond]
    if not late:
        return {"beyond": beyond, "intervals": 0}
    off = sorted(abs(row["tan"] / row["speed"] - 1) for row in late)
    length = sum(row["chord"] for row in late)
    return {
        "beyond": beyond,
        "intervals": len(late),
        "largest": off[-1],
        "median": off[len(off) // 2],
        "within": sum(x <= WITHIN for x in off) / len(off),
        "zeta_by_chords": length,
        "integral_of_tan": sum(row["tan"] * (row["tau"] - row["from"]) for row in late),
    }


def certified(margin_map: MarginMap, theta: Tensor, slack: float | None = kkt.SLACK) -> kkt.Certificate:
    """The KKT certificate of a unit vector θ (D,): the only place where these benchmarks ask for one."""
    return kkt.certificate(margin_map, theta, slack)


def certificates(margin_map: MarginMap, theta: Tensor) -> list[dict[str, Any]]:
    """A row a slack: ε, ε/‖θ̃‖, δ, the cosine that the multipliers give, and how many examples have one."""
    rows = []
    for slack in SLACKS:
        found = certified(margin_map, theta, slack)
        rows.append({"slack": slack, **numbers(found)})
    return rows


def numbers(found: kkt.Certificate) -> dict[str, Any]:
    """A certificate without its multipliers."""
    return {
        "epsilon": found.epsilon,
        "epsilon_relative": found.epsilon_relative,
        "delta": found.delta,
        "cos_best": math.sqrt(max(1 - found.epsilon_relative**2, 0.0)),
        "support": len(found.support),
        "margin": found.margin,
    }


def spec_of(method: str, tolerance: float, land: float | None = None) -> flow.Spec:
    """Options of `bundle` or `proximal`; land: distance of the τ on which `proximal` lands."""
    if method == "bundle":
        return bundle.Spec(tolerance=tolerance)
    return proximal.Spec(tolerance=tolerance, **({} if land is None else {"land": land}))
