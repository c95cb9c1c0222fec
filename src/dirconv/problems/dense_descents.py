r"""Discrete methods and the flow, from the same point with ℒ < ℓ(0): do they tend to the same direction?

============  ========================================================================  =====================
method        step                                                                      step sizes η
============  ========================================================================  =====================
gd            W ← W − η ∇ℒ̄, ℒ̄ the mean of ℓ                                             a ladder below 2/λ(ℒ̄)
ln_gd         W ← W − η ∇ ln ℒ: gradient descent whose rate is scaled by the loss        a ladder below 2/λ(ln ℒ)
sgd           gd on batches of `batches` examples, in an order drawn anew every epoch    one of gd's
momentum      V ← 0.9 V + ∇ℒ̄, W ← W − η V                                               a tenth of that
adam          Adam (β = 0.9, 0.999; ε = 1e-8) on ℒ̄                                      `adam`
============  ========================================================================  =====================

λ is the largest eigenvalue of the Hessian at the start. `fraction` = η λ/2 is the step size relative to the edge of
stability there: at 1 a quadratic with that curvature would just not diverge. The curvature of ln ℒ grows along the
path, so that every constant step reaches the edge eventually.

Table besides `path` (the flow's): `descents`, a row a method, step size and τ at which directions are compared (those
on which the flow landed, where the method first passes them), and a row for the last step: number of steps, ln ℒ, and
the angles of the direction to the flow's at the same τ and at the flow's end.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dirconv.geometry import angle, directions
from dirconv.options import configurable, require_positive
from dirconv.problems import Followed, _dense

if TYPE_CHECKING:
    from torch import Tensor

    from dirconv.losses import Loss
    from dirconv.margins.function import FunctionMap
    from dirconv.problems._flows import Kept

NUMERICS = 2
GOES_THROUGH = ("geometry", "losses", "problem.dense", "small_flows", "small_networks")
TABLES = ("path", "descents")
MOMENTUM = 0.9
ADAM = (0.9, 0.999, 1e-8)
POWER_STEPS = 60
LOGARITHMIC = "ln_gd"


@configurable
class Spec(_dense.Network):
    """Options of the problem."""

    name: Literal["dense_descents"] = "dense_descents"
    loss: _dense.LossName = "exponential"
    fractions: list[float] = dataclasses.field(default_factory=lambda: [0.03125, 0.0625, 0.125, 0.25, 0.5, 1.0, 2.0])
    fraction: float = 0.25  # of sgd and, divided by ten, of momentum
    batches: list[int] = dataclasses.field(default_factory=lambda: [5, 20])
    adam: list[float] = dataclasses.field(default_factory=lambda: [0.001, 0.003])
    steps: int = 4000  # most steps of a method

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self, "fraction", "steps")
        for name in ("fractions", "batches", "adam"):
            if not all(value > 0 for value in getattr(self, name)):
                raise ValueError(f"{name}: must be above zero, got {getattr(self, name)}")


@dataclasses.dataclass(frozen=True)
class Method:
    """One of the methods above with its step size, η or relative to the curvature."""

    name: str
    fraction: float | None = None  # η λ/2
    batch: int | None = None  # examples
    rate: float | None = None  # η


def methods(spec: Spec) -> list[Method]:
    """Every method that is compared with the flow."""
    ladder = [Method(name, fraction=f) for name in ("gd", LOGARITHMIC) for f in spec.fractions]
    batches = [Method("sgd", fraction=spec.fraction, batch=b) for b in spec.batches]
    momentum = [Method("momentum", fraction=spec.fraction * (1 - MOMENTUM))]
    return [*ladder, *batches, *momentum, *(Method("adam", rate=rate) for rate in spec.adam)]


def follow(spec: Spec, seeds: list[int]) -> list[Followed]:
    """See `dirconv.problems`."""
    from dirconv.problems import _flows, dense

    images, starts = _dense.images(spec, seeds), _dense.start(spec, seeds)
    followed = []
    for i, seed in enumerate(seeds):
        margin_map, loss = _dense.margin_map(spec, images.of(i), spec.loss)
        first, _ = dense.descend(margin_map, loss, starts[i], spec.descent)
        flow = _flows.follow(margin_map, loss, first, spec)
        chosen = methods(spec)
        sharpness = {log: curvature(margin_map, loss, first, log) for log in (False, True)}
        rates = [m.rate if m.fraction is None else 2 * m.fraction / sharpness[m.name == LOGARITHMIC] for m in chosen]
        run = _Descents(margin_map, loss, first, chosen, rates, flow.at["tau"].to_numpy()[1:], seed)
        run.run(spec.steps)
        followed.append(flow.followed(descents=run.rows(flow)))
    return followed


def curvature(margin_map: FunctionMap, loss: Loss, weights: Tensor, logarithmic: bool) -> float:
    """Largest eigenvalue of the Hessian of the mean loss, or of ln ℒ, at weights (D,), by power iteration."""
    import torch

    v = torch.randn(weights.shape, generator=torch.Generator().manual_seed(0), dtype=weights.dtype)
    leaf = weights.clone().requires_grad_()
    margins = margin_map.margins(leaf)
    ln_risk = loss.ln_risk(margins)
    value = ln_risk if logarithmic else ln_risk.exp() / len(margins)
    gradient = torch.autograd.grad(value, leaf, create_graph=True)[0]
    for _ in range(POWER_STEPS):
        v = v / v.norm()
        product = torch.autograd.grad(gradient @ v, leaf, retain_graph=True)[0]
        eigenvalue, v = float(v @ product), product
    return abs(eigenvalue)


class _Descents:
    """Every method from one seed's start, as one batch of M rows, a row a method."""

    def __init__(
        self,
        margin_map: FunctionMap,
        loss: Loss,
        first: Tensor,  # (D,), where every method starts
        chosen: list[Method],
        rates: list[float],  # η of each
        levels: np.ndarray,  # values of τ at which directions are compared, increasing
        seed: int,
    ) -> None:
        import torch

        self.map, self.loss, self.chosen, self.levels = margin_map, loss, chosen, levels
        self.weights = first.repeat(len(chosen), 1)
        self.first = self.weights.norm(dim=1)
        self.random = np.random.default_rng((seed, 2))
        self.examples = len(margin_map.data[0])
        self.orders = {m: np.empty(0, dtype=np.int64) for m, method in enumerate(chosen) if method.batch}
        self.velocity = torch.zeros_like(self.weights)
        self.square = torch.zeros_like(self.weights)

        def column(values: list[float]) -> Tensor:
            return torch.tensor(values, dtype=torch.float64)[:, None]

        self.rates = column(rates)
        self.is_log = column([m.name == LOGARITHMIC for m in chosen]).bool()
        self.is_adam = column([m.name == "adam" for m in chosen]).bool()
        # V ← decay V + mix ∇
        self.decay = column([{"momentum": MOMENTUM, "adam": ADAM[0]}.get(m.name, 0.0) for m in chosen])
        self.mix = column([1 - ADAM[0] if m.name == "adam" else 1.0 for m in chosen])
        self.passed = np.zeros(len(self.weights), dtype=np.int64)  # how many levels
        # τ, step, ln ℒ, θ, whether it is the last step
        self.points: list[list[tuple[float, int, float, Tensor, bool]]] = [[] for _ in self.weights]

    def run(self, steps: int) -> None:
        """Take `steps` steps; a row ends earlier once it has passed the last level or is no longer finite."""
        import torch

        tau = torch.zeros(len(self.weights), dtype=torch.float64)
        alive = torch.ones(len(self.weights), dtype=torch.bool)
        for step in range(1, steps + 1):
            before, weights_before = tau, self.weights
            gradient, ln_risk = self._gradient()
            self.weights = torch.where(alive[:, None], self._moved(gradient, step), self.weights)
            tau = (self.weights.norm(dim=1) / self.first).log()
            finite = torch.isfinite(tau)
            for row in (alive & finite).nonzero().flatten().tolist():
                self._pass(row, step, float(before[row]), float(tau[row]), float(ln_risk[row]), weights_before[row])
            done = torch.from_numpy(self.passed == len(self.levels))
            ends = alive & (done | ~finite | torch.tensor(step == steps))
            for row in (ends & finite).nonzero().flatten().tolist():
                self.points[row].append(
                    (float(tau[row]), step, float(ln_risk[row]), directions(self.weights[row]), True)
                )
            alive &= ~ends
            if not bool(alive.any()):
                return

    def _gradient(self) -> tuple[Tensor, Tensor]:
        """Each row's gradient of ℒ̄, or of ln ℒ, (M, D), and ln ℒ before its step, (M,)."""
        import torch

        leaf = self.weights.detach().clone().requires_grad_()
        margins = torch.func.vmap(self.map.margins)(leaf)
        values = margins.detach()[..., 0]
        slopes = self.loss.ln_slopes(values.reshape(-1, 1)).view_as(values)
        ln_risk = torch.stack([self.loss.ln_risk(p[:, None]) for p in values])
        # −∂/∂p of the mean loss, or of ln ℒ
        q = (slopes - torch.where(self.is_log[:, 0], ln_risk, math.log(self.examples))[:, None]).exp()
        for m, order in self.orders.items():
            q[m] *= self._batch(m, order) * (self.examples / self.chosen[m].batch)
        return -torch.autograd.grad(margins, leaf, q[..., None])[0], ln_risk

    def _batch(self, m: int, order: np.ndarray) -> Tensor:
        """The method's next batch: (n,), 1 for the examples in it and 0 for others."""
        import torch

        size = self.chosen[m].batch
        if len(order) < size:
            order = self.random.permutation(self.examples)
        batch, self.orders[m] = order[:size], order[size:]
        mask = torch.zeros(self.examples, dtype=torch.float64)
        mask[torch.from_numpy(batch)] = 1.0
        return mask

    def _moved(self, gradient: Tensor, step: int) -> Tensor:
        import torch

        first, second, epsilon = ADAM
        self.velocity = self.decay * self.velocity + self.mix * gradient
        self.square = second * self.square + (1 - second) * gradient.square()
        adam = self.velocity / (1 - first**step) / ((self.square / (1 - second**step)).sqrt() + epsilon)
        return self.weights - self.rates * torch.where(self.is_adam, adam, self.velocity)

    def _pass(self, row: int, step: int, before: float, now: float, ln_risk: float, weights: Tensor) -> None:
        """Record the direction at every level that this step is the first to pass, on the step's straight line."""
        for level in self.levels[self.passed[row] :]:
            if now < level:
                return
            at = weights + (level - before) / (now - before) * (self.weights[row] - weights)
            self.points[row].append((float(level), step, ln_risk, directions(at), False))
            self.passed[row] += 1

    def rows(self, flow: Kept) -> list[dict[str, Any]]:
        """Of the seed's table `descents`."""
        tau, theta = flow.at["tau"].to_numpy(), flow.theta.numpy()
        rows = []
        for m, method in enumerate(self.chosen):
            for level, step, ln_risk, direction, last in self.points[m]:
                w = direction.numpy()
                reached_by_flow = 0 <= level <= tau[-1] + 1e-9
                rows.append(
                    {
                        "method": method.name,
                        "fraction": math.nan if method.fraction is None else method.fraction,
                        "batch": method.batch or self.examples,
                        "step_size": float(self.rates[m, 0]),
                        "last": last,
                        "tau": level,
                        "steps": step,
                        "ln_risk": ln_risk,
                        "angle": angle(w, _between(tau, theta, level)) if reached_by_flow else math.nan,
                        "to_end": angle(w, theta[-1]),
                    }
                )
        return rows


def _between(tau: np.ndarray, theta: np.ndarray, at: float) -> np.ndarray:
    """The flow's direction at τ, on the chord between the kept points around it."""
    i = int(np.clip(np.searchsorted(tau, at), 1, len(tau) - 1)) if len(tau) > 1 else 0
    if i == 0:
        return theta[0]
    share = (at - tau[i - 1]) / (tau[i] - tau[i - 1])
    return theta[i - 1] + share * (theta[i] - theta[i - 1])
