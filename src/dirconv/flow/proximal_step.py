r"""One proximal step on the smooth minimum of the margins, solved with their kinks: a bundle method.

The step from x̄ solves, for x on the unit sphere (or, for a map without a degree, in space),

    x = x̄ + κ Σ_i Q_i g_i,     g_i ∈ ∂p_i(x),     Q = softmin of p(x)/T,     κ = share/(L Σ Q p(x)),

g_i without its radial part. Each round solves the dual over all cuts (`dirconv.flow.cut_dual`), evaluates the true
margins at a trial point, corrects the cuts' values by them, and takes further cuts there: none where one gradient a
margin explains the point (then rounds only settle the weights, as for a smooth map), and else of every margin near the
smallest. The trial point is where the dual leads; at a kink, where the first rounds lead far beyond the end, it is half
the way there from the last one. A step has settled when one more round hardly moves it.

Only margins near the smallest take part. When the step has settled all are evaluated, and those that would carry weight
though they were left out are cut as well. Source: docs/flow.md, sections 6a, 7 and 9b.
"""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

from dirconv.flow import cut_dual
from dirconv.flow.cuts import Cuts
from dirconv.losses import Loss
from dirconv.margins import MarginMap

NUMERICS = 2
GOES_THROUGH = ("cut_dual", "cuts", "jacobian", "losses")
ROUNDS = 24  # until a step settles, at most
SETTLED = 0.3  # share of a step's length that one more round may move its end by, at a kink,
SETTLED_ERROR = 10.0  # and share of the allowed local error
STILL = 1e-3  # speed, in rad per unit of τ, that is not resolved there: the flow has all but come to rest
SOLVED = 0.1  # the same shares, both, where the map is smooth
EXPLAINED = 0.5  # share of the local error by which rows at the end may move it where no kink is seen
FALL = 0.1  # share of itself by which the smooth minimum of the margins may fall in a step; along the flow it rises
RENEWED = 0.5  # of what gradients taken anew moved the end by, the share that the next may where the map is smooth
ROUNDING = 1e-11  # relative, by which an end may always move
MISMATCH = 0.05  # share of a step's rise, κ ‖Σ q g‖², by which the model of a margin may be wrong at a trial point
SHARE = 0.5  # of the way from the last trial point to where the dual leads, at which margins are tried, at a kink
NEAR = 0.02  # margins up to this share of the smallest one's rise above it are cut there if it is,
LIGHT = 1e-2  # and those of more than this share of an even weight
WEIGHT = 1e-9  # that counts as weight
WEIGHTLESS = 37.0  # units of T above the smallest margin: a weight of 10⁻¹⁶
LEAK = 1e-6  # softmin weight that the margins left out may carry together
ACCURACY = 1e-3  # of a round's displacement, relative, that the dual is solved to
HANDOVER = 1e-13  # T relative to the margins below which float64 does not resolve it
DIFFERENCE = 1e-4  # relative, by which the slopes are differentiated
REFINED = 1e-4  # share of the smallest margin above it within which margins are evaluated in float64


class Unsettled(ArithmeticError):
    """The step does not settle, or leads to where margins are no finite numbers: a shorter one is to be tried."""


@dataclasses.dataclass(frozen=True)
class Problem:
    """What a step is to solve."""

    base: Tensor  # x̄, (D,)
    share: float  # β h
    at: Tensor  # x̂, where the first cuts are made, (D,)
    newest: Tensor  # x, from where the step's length is measured, (D,)
    ln_scale: float  # ln s, s = ‖W‖^L at the step's end
    window: float  # margins that are so far above the smallest at x̂ take part from the beginning
    local: float  # the allowed local error
    kinked: bool  # whether further cuts are to be taken from the first round on
    exact: bool  # whether products of rows are to be exact though the rows are rounded


@dataclasses.dataclass(frozen=True)
class Solution:
    """Where a step came to."""

    x: Tensor  # (D,)
    margins: Tensor  # of all examples, (n, K−1), float64, at unit norm
    shares: Tensor  # Q, (n (K−1),)
    velocity: Tensor  # Σ Q g, without its radial part, (D,)
    pull: float  # Σ Q p
    cuts: Cuts
    q: Tensor  # a weight a cut
    cancellation: float  # ‖Σ q g‖²/(‖q‖ Σ q ‖g‖²), which rounding of independent products is to be held against
    temperature: float  # T; 0 where the smallest margin alone decided
    kinked: bool  # whether one gradient a margin does not explain the end
    start: Tensor  # margins at x̂, (n (K−1),), ∞ where they were not evaluated
    rounds: int
    evaluations: int
    jacobians: int


class ProximalStep:
    """One step of `margin_map`; `precise` is the same map in float64."""

    def __init__(
        self, margin_map: MarginMap, precise: MarginMap, loss: Loss, problem: Problem, margins: Tensor
    ) -> None:
        """margins: of all examples at `newest`, (n, K−1), by which those that take part are chosen."""
        self._map, self._precise, self._loss, self._problem = margin_map, precise, loss, problem
        self._width = margins.shape[1]
        self._degree = margin_map.degree
        self.cuts = Cuts(problem.base, self._degree, problem.exact)
        self._rounds = self._evaluations = self._jacobians = 0
        self._before = margins.flatten()
        least = float(self._before.min())
        self._members = self._before <= least + max(problem.window, WEIGHTLESS * self._temperature(self._before))

    def solve(self) -> Solution:
        """The step; `Unsettled` where there is none."""
        problem, cuts = self._problem, self.cuts
        start = margins = self._evaluate(problem.at)
        least = float(start.min())
        self._cut(problem.at, start, self._members)
        pull = self._softmin(start)
        reach = self._reach(pull, None)
        kinked, explained, change, length = problem.kinked, False, math.inf, 0.0
        trial, whole = problem.at, False  # where margins were tried last; whether that is where the dual led
        there = start[self._members]  # all cuts' values at the trial point
        for _ in range(ROUNDS):
            self._rounds += 1
            temperature = self._temperature(margins)
            q = self._dual(reach, margins, temperature, length)
            shares = cuts.shares(q, len(margins))
            pull = float(shares[self._members] @ margins[self._members])
            reach = self._reach(pull, q)
            velocity = cuts.velocity(q)
            x = self._unit(problem.base + reach * velocity)
            model = cuts.model(q, reach)
            if not reach > 0 or not bool(torch.isfinite(x).all()):
                raise Unsettled
            size = float(x.norm())
            length = float((x - problem.newest).norm()) / size
            again = torch.zeros_like(self._members)
            settled = size * self._settled(length, kinked)
            near = float((x - trial).norm()) <= settled
            if near and whole:
                margins = self._evaluate(x)
                everyone, again = self._everyone(x, margins, temperature)
                if not bool(again.any()):
                    level_before = self._softmin(self._before)
                    if level_before - self._softmin(everyone) > FALL * abs(level_before):
                        raise Unsettled
                    break
            whole = near or not kinked
            share = 1.0 if whole else SHARE
            trial = self._unit(trial + share * (x - trial))
            there = there + share * (model - there)
            margins = self._evaluate(trial)
            if not math.isfinite(float(margins.min())):
                raise Unsettled
            if not kinked:
                before, change = change, reach * float((self._gradient(trial, shares) - velocity).norm()) / size
                if change > self._explained(length):
                    kinked = change > RENEWED * before
                    if not kinked:  # curvature, it seems
                        cuts = self.cuts = Cuts(problem.base, self._degree, problem.exact)
                        self._cut(trial, margins, self._members)
                        there = margins[self._members]
                        continue
            level = float(there.min())
            bound = level + NEAR * max(level - least, 0.0)
            if kinked:
                modelled = cuts.lowest(there, len(margins))
                rise = reach * float(velocity @ velocity)
                again = again | self._to_cut(margins, modelled, shares, temperature, bound, rise)
            there = there + cuts.correct(there, margins, again)
            if bool(again.any()):
                kept = (q > WEIGHT) | (there <= bound)
                cuts.keep(kept)
                self._cut(trial, margins, again)
                there = torch.cat([there[kept], margins[again]])
                explained = reach * cuts.moved(q[kept], again) / size <= self._explained(length)
        else:
            raise Unsettled
        return Solution(
            x=x,
            margins=everyone.view(-1, self._width),
            shares=shares,
            velocity=velocity,
            pull=pull,
            cuts=cuts,
            q=q,
            temperature=temperature,
            cancellation=float(velocity @ velocity) / float(q.norm() * (q @ cuts.gram.diagonal())),
            kinked=kinked and not explained,
            start=start,
            rounds=self._rounds,
            evaluations=self._evaluations,
            jacobians=self._jacobians,
        )

    def _reach(self, pull: float, q: Tensor | None) -> float:
        """κ: share/(L Σ Q p), or share ‖x̂‖/‖Σ q g‖ without a degree; q is None before the first round."""
        if self._degree is not None:
            if not pull > 0:
                raise Unsettled
            return self._problem.share / (self._degree * pull)
        square = float(self.cuts.gram[0, 0] if q is None else q @ self.cuts.gram @ q)
        if not square > 0:  # the gradient vanishes: outputs have reached their bound
            raise Unsettled
        return self._problem.share * float(self._problem.at.norm()) / math.sqrt(square)

    def _settled(self, length: float, kinked: bool) -> float:
        """How far the last round may have moved the end of a step that stands."""
        if kinked:
            return max(min(SETTLED_ERROR * self._problem.local, SETTLED * length), STILL * self._problem.share)
        return max(SOLVED * min(self._problem.local, length), ROUNDING)

    def _explained(self, length: float) -> float:
        """How far gradients taken anew at the end may move it if it is to be explained without them."""
        return max(min(EXPLAINED * self._problem.local, SOLVED * length), ROUNDING)

    def _unit(self, x: Tensor) -> Tensor:
        return x if self._degree is None else x / x.norm()

    def _temperature(self, margins: Tensor) -> float:
        """T: the width of the softmin in units of margins at unit norm, −1/(s α′) with the slopes α = ln(−∂ℒ/∂p).

        1/s for losses with an exponential tail, as margins grow, and 0 where that is not resolved; of the size of the
        margins for ever with a polynomial tail.
        """
        typical = self._softmin(margins)
        ln_scale = self._problem.ln_scale
        if not typical > 0:
            return math.exp(-ln_scale)
        pair = torch.full((2, self._width), typical, dtype=torch.float64)
        pair[1] *= 1 + DIFFERENCE
        first, second = (float(self._loss.ln_slopes(p[None], ln_scale)[0, 0]) for p in pair)
        if not math.isfinite(first - second):  # s p overflows
            return 0.0
        if not first > second:
            return math.exp(-ln_scale)
        temperature = DIFFERENCE * typical / (first - second)
        return temperature if temperature > HANDOVER * typical else 0.0

    def _softmin(self, margins: Tensor) -> float:
        """Σ q p, q the softmin weights at `margins` (n (K−1),)."""
        q = torch.softmax(self._slopes(margins), 0)
        return float(torch.where(q > 0, q * margins, 0.0).sum())

    def _dual(self, reach: float, margins: Tensor, temperature: float, length: float) -> Tensor:
        """A weight a cut, for the cuts' values corrected by what the slopes have beside −p/T at `margins`."""
        values = self.cuts.values
        if temperature > 0:
            values = values + (-margins - temperature * self._slopes(margins))[self.cuts.owners]
        accuracy = min(ACCURACY, 0.2 * self._settled(length, False) / length) if length > 0 else ACCURACY
        solution = cut_dual.solve(reach * self.cuts.gram, values, self.cuts.owners, temperature, accuracy)
        if not solution.converged:
            raise Unsettled
        return solution.q

    def _slopes(self, margins: Tensor) -> Tensor:
        """α = ln(−∂ℒ/∂p) of the margins, flat; −∞ for those that take no part."""
        return self._loss.ln_slopes(margins.view(-1, self._width), self._problem.ln_scale).flatten()

    def _to_cut(
        self, margins: Tensor, modelled: Tensor, shares: Tensor, temperature: float, bound: float, rise: float
    ) -> Tensor:
        """Which margins are cut at a trial point: near the smallest, or with weight, and not what the model says."""
        near = (margins <= bound) | (shares > WEIGHT)
        if temperature > 0:
            weights = torch.maximum(torch.softmax(self._slopes(margins), 0), shares)
            near = (margins <= bound) | (weights > LIGHT / int(self._members.sum()))
        return near & self._members & ((margins - modelled).abs() > MISMATCH * rise)

    def _evaluate(self, x: Tensor) -> Tensor:
        """Margins at x of those that take part, in float64, ∞ for the others: (n (K−1),)."""
        self._evaluations += 1
        examples = self._examples(self._members)
        margins = x.new_full((len(self._members) // self._width, self._width), torch.inf)
        margins[examples] = self._precise.values(x, examples)
        return torch.where(self._members, margins.flatten(), torch.inf)

    def _everyone(self, x: Tensor, margins: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
        """All margins at x, and a mask of those that would have weight but took no part; they do from now on."""
        everyone = self._map.values(x).flatten()
        everyone = torch.where(self._members, margins, everyone)
        least = float(everyone.min())
        close = ~self._members & (everyone <= least + REFINED * abs(least))
        if bool(close.any()):
            examples = self._examples(close)
            refined = everyone.view(-1, self._width).clone()
            refined[examples] = self._precise.values(x, examples)
            everyone = torch.where(self._members, margins, refined.flatten())
        if temperature > 0:
            weights = torch.softmax(self._slopes(everyone), 0).masked_fill(self._members, 0.0)
            missing = weights > (0.5 * LEAK / len(weights) if float(weights.sum()) > LEAK else torch.inf)
        else:
            missing = ~self._members & (everyone < float(margins.min()))
        self._members = self._members | missing
        return everyone, missing

    def _cut(self, x: Tensor, margins: Tensor, which: Tensor) -> None:
        """Cuts at x of the margins that the mask `which` chooses."""
        self._jacobians += 1
        examples = self._examples(which)
        _, rows = self._map.jacobian(x, examples)
        owners = which.nonzero().flatten()
        if self._width > 1:
            rows = rows.rows(which.view(-1, self._width)[examples].flatten())
        self.cuts.add(x, margins[owners], rows, owners)

    def _gradient(self, x: Tensor, shares: Tensor) -> Tensor:
        """Σ Q ∇p(x), without its radial part on the sphere."""
        v = gradient(self._map, x, shares.view(-1, self._width))
        return v if self._degree is None else v - (v @ x) * x

    def _examples(self, which: Tensor) -> Tensor:
        return which.view(-1, self._width).any(1).nonzero().flatten()


def gradient(margin_map: MarginMap, x: Tensor, q: Tensor) -> Tensor:
    """Σ q ∇p(x), (D,), for q (n, K−1), by one pass over the examples that have weight (all, where they are coupled)."""
    if getattr(margin_map, "coupled", False):
        return margin_map.linearize(x)[1](q)
    examples = (q.amax(1) > 0).nonzero().flatten()
    return margin_map.rows(x, examples).pullback(q[examples])
