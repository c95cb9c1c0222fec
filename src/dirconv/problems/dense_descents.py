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

Table besides `path` (the flow's): `descents`, a row a method, step size and τ at which directions are compared (where
the method first passes it), and a row for the last step: number of steps, ln ℒ, and the angles of the direction to the
flow's at the same τ and at the flow's end.
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
    from dirconv.margins.ensemble import EnsembleMap
    from dirconv.problems._flows import Kept

NUMERICS = 1
GOES_THROUGH = ("ensemble", "geometry", "problem.dense", "small_flows", "small_networks")
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
    import torch

    from dirconv.problems import _flows, dense

    data = _dense.images(spec, seeds)
    maps, loss = _dense.margin_map(spec, data, spec.loss)
    first, _ = dense.descend(maps, loss, _dense.start(spec, seeds), spec.descent)
    flows = _flows.follow(maps, loss, first, spec)
    chosen = methods(spec)
    sharpness = {log: curvature(maps, loss, first, log) for log in (False, True)}
    rates = torch.empty(len(chosen), len(seeds), dtype=torch.float64)
    for row, m in zip(rates, chosen, strict=True):
        row[:] = m.rate if m.fraction is None else 2 * m.fraction / sharpness[m.name == LOGARITHMIC]
    levels = np.round(np.arange(1, round(spec.tau / spec.land) + 1) * spec.land, 9)
    run = _Descents(maps, loss, first, chosen, rates, levels, seeds)
    run.run(spec.steps)
    return [kept.followed(descents=run.rows(i, kept)) for i, kept in enumerate(flows)]


def curvature(maps: EnsembleMap, loss: Loss, weights: Tensor, logarithmic: bool) -> Tensor:
    """Largest eigenvalue of the Hessian of the mean loss, or of ln ℒ, at weights (S, D): (S,), by power iteration."""
    import torch

    generator = torch.Generator().manual_seed(0)
    v = torch.randn(weights.shape, generator=generator, dtype=weights.dtype)
    eigenvalues = torch.zeros(len(weights), dtype=weights.dtype)
    leaf = weights.clone().requires_grad_()
    margins = torch.func.vmap(maps.function)(leaf, *maps.data)
    ln_risk = torch.stack([loss.ln_risk(p[:, None]) for p in margins])
    value = ln_risk if logarithmic else ln_risk.exp() / margins.shape[1]
    gradient = torch.autograd.grad(value.sum(), leaf, create_graph=True)[0]
    for _ in range(POWER_STEPS):
        v = v / v.norm(dim=1, keepdim=True)
        product = torch.autograd.grad((gradient * v).sum(), leaf, retain_graph=True)[0]
        eigenvalues = (v * product).sum(1)
        v = product
    return eigenvalues.abs()


class _Descents:
    """Every method from every seed's start in one batch of R = M S rows: row m S + s is method m from seed s."""

    def __init__(
        self,
        maps: EnsembleMap,
        loss: Loss,
        first: Tensor,  # (S, D), where every method starts
        chosen: list[Method],
        rates: Tensor,  # (M, S), η
        levels: np.ndarray,  # values of τ at which directions are compared, increasing
        seeds: list[int],
    ) -> None:
        import torch

        self.loss, self.chosen, self.levels = loss, chosen, levels
        self.count = len(first)
        self.maps = maps.of(torch.arange(self.count).repeat(len(chosen)))
        self.weights = first.repeat(len(chosen), 1)
        self.rates = rates.reshape(-1, 1)
        self.first = self.weights.norm(dim=1)
        self.random = [np.random.default_rng((seed, 2)) for seed in seeds]
        self.examples = maps.data[0].shape[1]
        self.orders = {m: np.empty((self.count, 0), dtype=np.int64) for m, method in enumerate(chosen) if method.batch}
        self.velocity = torch.zeros_like(self.weights)
        self.square = torch.zeros_like(self.weights)

        def column(values: list[float]) -> Tensor:
            return torch.tensor(values, dtype=torch.float64).repeat_interleave(self.count)[:, None]

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
        """Each row's gradient of ℒ̄, or of ln ℒ, (R, D), and ln ℒ before its step, (R,)."""
        import torch

        from dirconv.flow import ensemble

        leaf = self.weights.detach().clone().requires_grad_()
        margins = torch.func.vmap(self.maps.function)(leaf, *self.maps.data)
        values = margins.detach()
        slopes = ensemble.slopes(self.loss, values)
        ln_risk = ensemble.ln_risk(self.loss, values)
        # −∂/∂p of the mean loss, or of ln ℒ
        q = (slopes - torch.where(self.is_log[:, 0], ln_risk, math.log(self.examples))[:, None]).exp()
        for m, order in self.orders.items():
            part = slice(m * self.count, (m + 1) * self.count)
            q[part] *= self._batch(m, order) * (self.examples / self.chosen[m].batch)
        return -torch.autograd.grad(margins, leaf, q)[0], ln_risk

    def _batch(self, m: int, order: np.ndarray) -> Tensor:
        """The method's next batch: (S, n), 1 for the examples in it and 0 for others."""
        import torch

        size = self.chosen[m].batch
        if order.shape[1] < size:
            order = np.stack([random.permutation(self.examples) for random in self.random])
        batch, self.orders[m] = order[:, :size], order[:, size:]
        mask = torch.zeros(self.count, self.examples, dtype=torch.float64)
        return mask.scatter_(1, torch.from_numpy(batch), 1.0)

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

    def rows(self, seed: int, flow: Kept) -> list[dict[str, Any]]:
        """Of the seed's table `descents`."""
        tau, theta = flow.at["tau"].to_numpy(), flow.theta.numpy()
        rows = []
        for m, method in enumerate(self.chosen):
            row = m * self.count + seed
            for level, step, ln_risk, direction, last in self.points[row]:
                w = direction.numpy()
                reached_by_flow = 0 <= level <= tau[-1] + 1e-9
                rows.append(
                    {
                        "method": method.name,
                        "fraction": math.nan if method.fraction is None else method.fraction,
                        "batch": method.batch or self.examples,
                        "step_size": float(self.rates[row, 0]),
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
