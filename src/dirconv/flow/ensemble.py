r"""The flows of many small homogeneous maps as one batch: each seed has its own steps, all are computed together.

Both methods work on the sphere in τ = ln(‖W‖/‖W₀‖), where dθ/dτ = F(θ, q) = (I − θθᵀ) v/⟨θ, v⟩ and v = Σ q ∇p(θ):

`proximal`  the formula of `dirconv.flow.methods.proximal` (BDF2 in θ, softmin weights solved at the end of the step).
            The whole Jacobian is computed at every predicted point, and all examples take part. The slopes must be
            those of margins, d ln(−ℓ') = −dp: exponential loss, and logistic loss where ℒ is small.
`rk4`       the classical Runge–Kutta method, for losses whose weights do not become stiff (a polynomial tail).

Before ℒ < ℓ(0), where ⟨θ, v⟩ need not be positive, `descend` follows the same curve in relative arc length.

Shapes: S seeds, n examples, D weights.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from dirconv.flow import State, Step, path_table
from dirconv.flow.control import StepControl
from dirconv.flow.duals import solve_duals
from dirconv.flow.goals import Goals
from dirconv.flow.point import ROUNDING_DOUBLE, sizes
from dirconv.goals import Stop, StopReason
from dirconv.losses import Loss
from dirconv.margins.ensemble import EnsembleMap

NUMERICS = 1
GOES_THROUGH = ("batched_dual", "ensemble_map", "goals", "point", "step_control")
SMALLEST_STEP = 1e-13  # in τ
UNSOLVED = 0.25  # factor on the size of a step that could not be solved
CORRECTIONS = 25  # of a step, at most
SOLVED = 0.1  # share of the local error that the corrector may leave
AGREE = 1e-6  # of ln q: to which the weights at the end of a step are those that it was made with


@dataclasses.dataclass(frozen=True)
class Path:
    """One seed's flow."""

    steps: pd.DataFrame  # a row a step: the columns of the measure `path`
    weights: Tensor  # (k, D) directions θ at the kept steps
    kept: np.ndarray  # (k,) their numbers
    stop: StopReason


def descend(maps: EnsembleMap, loss: Loss, weights: Tensor, step: float, most_steps: int) -> tuple[Tensor, Tensor]:
    """Follow the flow from initialization until ℒ < ℓ(0): weights (S, D), and how many steps each seed took (S,).

    The classical Runge–Kutta method on dW/ds = ‖W‖ v/‖v‖, at most `most_steps` steps of size `step`. A seed that has
    not come below ℓ(0) by then is returned where it is.
    """
    weights, taken = weights.clone(), torch.zeros(len(weights), dtype=torch.int64)
    stuck = torch.zeros(len(weights), dtype=torch.bool)  # the gradient vanishes, as where every neuron is dead
    for _ in range(most_steps):
        above = ((ln_risk(loss, maps.values(weights)) >= loss.ln_at_zero) & ~stuck).nonzero().flatten()
        if len(above) == 0:
            break
        maps_above, start = maps.of(above), weights[above]

        def velocity(at: Tensor, maps_above=maps_above) -> Tensor:
            v = maps_above.pullback(at, softmin(loss, maps_above.values(at)))
            return v * (at.norm(dim=1) / v.norm(dim=1))[:, None]

        change = _rk4(velocity, start, torch.full((len(start), 1), step, dtype=start.dtype))[0]
        finite = torch.isfinite(change).all(1)
        stuck[above] = ~finite
        weights[above[finite]] += change[finite]
        taken[above[finite]] += 1
    return weights, taken


def _rk4(velocity: Callable[[Tensor], Tensor], start: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """The change over a step of sizes h (S, 1) from `start` (S, D), and its distance to the midpoint rule's, (S,)."""
    first = velocity(start)
    second = velocity(start + h / 2 * first)
    third = velocity(start + h / 2 * second)
    fourth = velocity(start + h * third)
    change = h * (first + 2 * second + 2 * third + fourth) / 6
    return change, (change - h * second).norm(dim=1)


def ln_risk(loss: Loss, margins: Tensor) -> Tensor:
    """ln ℒ of each seed, (S,), for margins (S, n)."""
    return torch.func.vmap(lambda p: loss.ln_risk(p[:, None]))(margins)


def slopes(loss: Loss, margins: Tensor) -> Tensor:
    """ln(−∂ℒ/∂p), (S, n)."""
    return loss.ln_slopes(margins.reshape(-1, 1)).view_as(margins)


def softmin(loss: Loss, margins: Tensor) -> Tensor:
    """q, (S, n)."""
    return torch.softmax(slopes(loss, margins), 1)


def follow(
    maps: EnsembleMap,
    loss: Loss,
    weights: Tensor,
    stop: Stop,
    *,
    method: str = "proximal",
    tolerance: float = 0.01,
    largest_step: float = 0.1,
    land: float = 0.25,
) -> list[Path]:
    """Follow each seed's flow from `weights` (S, D), where ℒ < ℓ(0), to the first goal in `stop`.

    method: `proximal` or `rk4`. tolerance: ε, which bounds a step's local error by ε^(3/2), as for
    `dirconv.flow.methods.proximal`. largest_step: in τ. land: a step ends exactly at every multiple of it in τ; θ is
    kept there, at the start and at the end.

    A seed that starts with ℒ ≥ ℓ(0) stops there, with the reason `steps`: `descend` did not bring it below.
    """
    control = StepControl(tolerance=tolerance**1.5, largest_step=largest_step, smallest_step=SMALLEST_STEP, land=land)
    return _Ensemble(maps, loss, weights, stop, method, control).run()


class _Ensemble:
    def __init__(
        self, maps: EnsembleMap, loss: Loss, weights: Tensor, stop: Stop, method: str, control: StepControl
    ) -> None:
        self.maps, self.loss, self.control, self.local = maps, loss, control, control.tolerance
        self.attempt = {"proximal": self._proximal, "rk4": self._explicit}[method]
        seeds, everyone = len(weights), torch.arange(len(weights))
        zeros = torch.zeros(seeds, dtype=torch.float64)
        self.start_norms = weights.norm(dim=1)  # (S,), where τ = 0
        self.ln_norm = self.start_norms.log()
        theta = weights / weights.norm(dim=1, keepdim=True)
        self.points = theta[:, None].repeat(1, 3, 1)  # θ of the last three points, the newest last, (S, 3, D)
        self.clocks = torch.zeros(seeds, 3, dtype=torch.float64)  # their τ
        self.count = torch.ones(seeds, dtype=torch.int64)  # how many of them are known
        self.margins = self._margins(theta, zeros, everyone)
        self.ln_q = torch.log_softmax(slopes(loss, self.margins), 1)
        self.zeta = zeros.clone()
        self.rejected, self.evaluations = torch.zeros_like(everyone), torch.ones_like(everyone)
        self.rows: list[list[dict[str, float]]] = [[] for _ in range(seeds)]
        self.kept: list[list[tuple[int, Tensor]]] = [[] for _ in range(seeds)]
        self.goals = [Goals(stop) for _ in range(seeds)]
        self.reason: list[StopReason | None] = [None] * seeds
        tan = self._record(everyone, zeros, zeros, zeros.bool())
        # of the first order, and so short that its error can be neglected: ‖dθ/dτ‖ = tan ∠
        self.h = (0.1 * self.local / tan.clamp(min=1e-300)).clamp(max=control.largest_step)

    def run(self) -> list[Path]:
        while alive := [seed for seed, reason in enumerate(self.reason) if reason is None]:
            self._step(torch.tensor(alive))
        paths = []
        for rows, kept, reason in zip(self.rows, self.kept, self.reason, strict=True):
            numbers, directions = zip(*kept, strict=True)
            paths.append(Path(path_table(pd.DataFrame(rows)), torch.stack(directions), np.array(numbers), reason))
        return paths

    def _margins(self, theta: Tensor, tau: Tensor, seeds: Tensor) -> Tensor:
        """p(W), (k, n), at W = ‖W₀‖ e^τ θ of these k seeds."""
        return self.maps.of(seeds).values(theta) * self._scale(tau, seeds)[:, None]

    def _scale(self, tau: Tensor, seeds: Tensor) -> Tensor:
        """‖W‖^L, (k,)."""
        return torch.exp(self.maps.degree * (tau + self.ln_norm[seeds]))

    def _step(self, seeds: Tensor) -> None:
        """Attempt a step of every seed; accept those whose error allows it."""
        h, lands = self.control.landing(self.h[seeds], self.clocks[seeds, -1])
        theta, margins, ln_q, error, solved = self.attempt(seeds, h)
        accepted = solved & self.control.accepts(error)
        factor = torch.where(solved, self.control.factor(error, self.count[seeds]), UNSOLVED)
        longer, shorter = self.control.after_accepted(h, self.h[seeds], factor), self.control.after_rejected(h, factor)
        self.h[seeds] = torch.where(accepted, longer, shorter)
        self.rejected[seeds] += (~accepted).long()
        for seed in seeds[self.control.underflows(self.h[seeds]) & ~accepted].tolist():
            self.reason[seed] = StopReason.STEP_UNDERFLOW
        if not bool(accepted.any()):
            return
        taken, step, theta = seeds[accepted], h[accepted], theta[accepted]
        half_chord = (theta - self.points[taken, -1]).norm(dim=1) / 2
        self.zeta[taken] += 2 * torch.asin(half_chord.clamp(max=1.0))
        self.points[taken] = torch.cat([self.points[taken, 1:], theta[:, None]], 1)
        now = self.clocks[taken, -1] + step
        now = torch.where(lands[accepted], (now / self.control.land).round() * self.control.land, now)
        self.clocks[taken] = torch.cat([self.clocks[taken, 1:], now[:, None]], 1)
        self.count[taken] = (self.count[taken] + 1).clamp(max=3)
        self.margins[taken], self.ln_q[taken] = margins[accepted], ln_q[accepted]
        self._record(taken, step, error[accepted], lands[accepted])

    def _record(self, seeds: Tensor, step_size: Tensor, error: Tensor, landed: Tensor) -> Tensor:
        """A row for each of these k seeds at its newest point, its stop reason, and tan ∠ there, (k,)."""
        theta, tau, margins = self.points[seeds, -1], self.clocks[seeds, -1], self.margins[seeds]
        q = softmin(self.loss, margins)
        v = self.maps.of(seeds).pullback(theta, q)
        radial = (theta * v).sum(1)
        tangential = (v - radial[:, None] * theta).norm(dim=1)
        ln_norm = tau + self.ln_norm[seeds]
        smallest, tans = margins.amin(1), tangential / radial
        columns = {
            "tau": tau,
            "ln_risk": ln_risk(self.loss, margins),
            "cos": radial / v.norm(dim=1),
            "smallest_margin": smallest,
            "effective_examples": 1 / q.square().sum(1),
            "step_size": step_size,
            "error": error,
            "rejected": self.rejected[seeds],
            "resolution": ROUNDING_DOUBLE * smallest.abs(),
            "landed": landed,
        }
        measured = zip(*(column.tolist() for column in columns.values()), strict=True)
        weights = theta * ln_norm.exp()[:, None]
        others = zip(seeds.tolist(), weights, ln_norm.tolist(), tans.tolist(), strict=True)
        for (seed, w, ln_w, tan), values in zip(others, measured, strict=True):
            fields = dict(zip(columns, values, strict=True))
            number, inverse = len(self.rows[seed]), self.loss.inverse(fields["ln_risk"])
            counts = {"step": number, "jacobians": number, "evaluations": int(self.evaluations[seed])}
            state = State(w, float(self.start_norms[seed]), path_length=float(self.zeta[seed]), **counts)
            # here the clock is given and the norm follows from it: ‖W‖ = ‖W₀‖ e^τ
            fields |= sizes(inverse, fields["smallest_margin"])
            step = Step(state=state, norm=math.exp(ln_w), cos_point=fields["cos"], **fields)
            below = step.ln_risk < self.loss.ln_at_zero
            margin = inverse * math.exp(-self.maps.degree * ln_w)
            self.rows[seed].append({**step.row(), "tan": tan, "smoothed_margin": margin, "below": below})
            # without ℒ < ℓ(0), which `descend` did not reach, the theorems say nothing about this seed
            self.reason[seed] = self.goals[seed].check(step)[1] if below else StopReason.STEPS
            if number == 0 or step.landed or self.reason[seed] is not None:
                self.kept[seed].append((number, self.points[seed, -1].clone()))
            self.rejected[seed] = 0
        return tans

    def _explicit(self, seeds: Tensor, h: Tensor):
        """One step of the classical method; its error is the distance to the midpoint rule."""
        maps, start, tau = self.maps.of(seeds), self.points[seeds, -1], self.clocks[seeds, -1]

        def velocity(theta: Tensor) -> Tensor:
            unit = theta / theta.norm(dim=1, keepdim=True)
            margins = maps.values(unit)
            v = maps.pullback(unit, softmin(self.loss, margins * self._scale(tau, seeds)[:, None]))
            radial = (unit * v).sum(1, keepdim=True)
            return v / radial - unit

        change, error = _rk4(velocity, start, h[:, None])
        theta = start + change
        theta = theta / theta.norm(dim=1, keepdim=True)
        self.evaluations[seeds] += 4
        margins = self._margins(theta, tau + h, seeds)
        solved = torch.isfinite(margins).all(1) & torch.isfinite(error)
        return theta, margins, self.ln_q[seeds], error, solved

    def _proximal(self, seeds: Tensor, h: Tensor):
        """One step of the two-step backward formula: directions, margins, ln q, error, and whether it was solved."""
        maps, degree = self.maps.of(seeds), self.maps.degree
        newest, before = self.points[seeds, -1], self.points[seeds, -2]
        past = self.clocks[seeds, -1] - self.clocks[seeds, -2]
        ratio = torch.where(self.count[seeds] > 1, h / past.clamp(min=1e-300), 0.0)[:, None]
        base = ((1 + ratio) ** 2 * newest - ratio**2 * before) / (1 + 2 * ratio)
        share = h * ((1 + ratio) / (1 + 2 * ratio))[:, 0]
        predicted = newest + ratio * (newest - before)
        predicted = predicted / predicted.norm(dim=1, keepdim=True)
        p, jacobian = maps.jacobian(predicted)
        # on the sphere: without the radial part, which is L p by Euler's identity
        jacobian = jacobian - degree * p[:, :, None] * predicted[:, None]
        gram = jacobian @ jacobian.transpose(1, 2)
        scale = self._scale(self.clocks[seeds, -1] + h, seeds)
        ln_q = self.ln_q[seeds]
        settled = torch.zeros(len(seeds), dtype=torch.bool)
        failed = torch.zeros(len(seeds), dtype=torch.bool)
        least = torch.full((len(seeds),), math.inf, dtype=torch.float64)
        theta, margins, best = newest.clone(), self.margins[seeds].clone(), ln_q.clone()
        working = torch.arange(len(seeds))
        for _ in range(CORRECTIONS):
            u = ln_q[working]
            q = u.exp()
            pull = degree * (q * p[working]).sum(1)
            failed[working] |= ~(pull > 0)
            v = (q[:, None] @ jacobian[working])[:, 0]
            x = base[working] + (share[working] / pull)[:, None] * v
            x = x / x.norm(dim=1, keepdim=True)
            found = maps.of(working).values(x) * scale[working][:, None]
            self.evaluations[seeds[working]] += 1
            a = slopes(self.loss, found)
            failed[working] |= ~torch.isfinite(a).all(1)
            stiff = (share * scale)[working] / pull
            matrix = stiff[:, None, None] * gram[working]
            ok = ~failed[working]
            if not bool(ok.any()):
                break
            working, u, q, x, found, a, matrix, pull = (z[ok] for z in (working, u, q, x, found, a, matrix, pull))
            new = solve_duals(matrix, -(a + (matrix @ q[:, :, None])[:, :, 0]), u)
            change = new.exp() - q
            shift = (matrix @ change[:, :, None])[:, :, 0]
            move = (
                share[working]
                / pull
                * (change * (gram[working] @ change[:, :, None])[:, :, 0]).sum(1).clamp(min=0).sqrt()
            )
            counts = (q > 1e-6) | (new > -13.8)
            spread = torch.where(counts, shift, -torch.inf).amax(1) - torch.where(counts, shift, torch.inf).amin(1)
            better = spread < least[working]
            chosen = working[better]
            theta[chosen], margins[chosen], best[chosen] = x[better], found[better], u[better]
            least[working] = torch.minimum(least[working], spread)
            settled[working] |= (move <= SOLVED * self.local) & (spread < 0.5)
            blur = 4 * ROUNDING_DOUBLE * found.amin(1).abs()
            done = settled[working] & ((spread < torch.maximum(blur, torch.tensor(AGREE))) | ~better & (spread < 0.1))
            ln_q[working] = new
            working = working[~done]
            if len(working) == 0:
                break
        error = self._error(seeds, theta, h)
        return theta, margins, best, error, settled & ~failed & torch.isfinite(error)

    def _error(self, seeds: Tensor, theta: Tensor, h: Tensor) -> Tensor:
        """Local error (k,), from the distance of θ (k, D) to the polynomial through the last points.

        See `dirconv.flow.methods.proximal`; through one point, two points or three, as many as are known.
        """
        clocks, points, count = self.clocks[seeds], self.points[seeds], self.count[seeds]
        now = clocks[:, -1] + h
        oldest, before, newest = points.unbind(1)
        to_point = 0.5 * (theta - newest).norm(dim=1)
        ratio = h / (clocks[:, 2] - clocks[:, 1]).clamp(min=1e-300)  # ω
        line = newest + ratio[:, None] * (newest - before)
        to_line = 0.5 * (theta - line / line.norm(dim=1, keepdim=True)).norm(dim=1)
        to_parabola = torch.zeros_like(to_point)
        known = count == 3
        if bool(known.any()):
            times, now, h, ratio = [clocks[known, i] for i in range(3)], now[known], h[known], ratio[known]
            parabola = torch.zeros_like(theta[known])
            for i, point in enumerate((oldest, before, newest)):
                weight = torch.ones_like(h)  # Lagrange's
                for j in range(3):
                    if j != i:
                        weight = weight * (now - times[j]) / (times[i] - times[j])
                parabola += weight[:, None] * point[known]
            distance = (theta[known] - parabola / parabola.norm(dim=1, keepdim=True)).norm(dim=1)
            # both times θ‴: the local error of the formula, and that of the extrapolated parabola
            formula = (1 + ratio) ** 2 * h**3 / (6 * ratio * (1 + 2 * ratio))
            extrapolation = (now - times[0]) * (now - times[1]) * (now - times[2]) / 6
            to_parabola[known] = distance * formula / (formula + extrapolation)
        return torch.where(count == 1, to_point, torch.where(count == 2, to_line, to_parabola))
