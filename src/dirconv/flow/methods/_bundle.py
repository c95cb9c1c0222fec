"""The implementation of `bundle`; that module's docstring has the equations, and (1) and (2) refer to it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import torch
from torch import Tensor

from dirconv.flow import State, Step, Underflow, backward
from dirconv.flow.control import StepControl
from dirconv.flow.methods.bundle import Spec
from dirconv.flow.point import LARGEST_LN, advance, record, resolution
from dirconv.flow.proximal_step import ROUNDS, Problem, ProximalStep, Solution, Unsettled, gradient
from dirconv.losses import Loss
from dirconv.margins import MarginMap

SMALLEST_STEP = 1e-13  # in the clock
UNSETTLED = 0.5  # factor on the size of a step that did not settle
WINDOW = 0.3  # margins up to (1 + window) times the smallest take part in a first step
WIDER = 2.0  # factor on how far above the smallest margin those were, at a step's start, that had weight at its end
NARROWEST = 0.01  # of that, relative to the smallest margin
CANCELLATION = 5e-6  # ‖Σ q g‖²/(‖q‖ Σ q ‖g‖²) from which products in float32 do: their rounding, 5·10⁻⁸, is 1 % of it
TINY = 1e-30  # keeps a quotient finite where −∇ℒ is at right angles to W
BEGUN = 1.0  # rad, of the path, until which the allowed local error grows in proportion to it,
FIRST = 0.01  # and share of it that is allowed at the start
WEIGHTY = 1e-6  # share of an even weight that counts as weight


class Flow:
    """One flow: its state, replaced as steps are accepted."""

    def __init__(self, margin_map: MarginMap, loss: Loss, spec: Spec, state: State, goal: float) -> None:
        self.map, self.precise, self.loss = margin_map, margin_map.precise(), loss
        self.degree = margin_map.degree
        self.control = StepControl(
            tolerance=spec.tolerance**1.5,
            largest_step=spec.largest_step,
            smallest_step=SMALLEST_STEP,
            per_doubling=None if self.degree is None else spec.land,
            goal=goal,
        )
        self.state = state
        if not state.memory:
            x = self._unit(state.weights)
            margins = self.precise.values(x)
            self._remember(
                margins=margins,
                points=x[None],
                clocks=torch.zeros(1, dtype=torch.float64),
                window=WINDOW * margins.min().abs(),
                kinked=torch.zeros((), dtype=torch.bool),
                cancellation=torch.ones((), dtype=torch.float64),
            )

    def steps(self) -> Iterator[Step]:
        """See `bundle.steps`."""
        step, tan = self._record()
        yield step
        if math.isnan(self.state.step_size):
            # of the first order, and so short that its error can be neglected
            self._next(min(0.5 * self.local / tan, self.control.largest_step) if tan > 0 else self.control.largest_step)
        rejected = 0
        while True:
            clocks = self._clocks
            h, lands = self.control.landing(self.state.step_size, clocks[-1])
            try:
                end = self._attempt(h)
            except Unsettled:
                rejected += 1
                self._next(self.control.after_rejected(h, UNSETTLED))
                continue
            points = self.state.memory["points"]
            error = backward.local_error(points, clocks, h, end.x, self.degree is not None)
            relative = error / self.local * self.control.tolerance
            factor = self.control.factor(relative, len(points))
            if not self.control.accepts(relative):
                rejected += 1
                self._next(self.control.after_rejected(h, factor))
                continue
            factor = min(factor, (ROUNDS / end.rounds) ** 0.5)  # a step that took many is near what can be settled
            self._accept(end, h, lands, self.control.after_accepted(h, self.state.step_size, factor))
            yield self._record(step_size=h, error=error, rejected=rejected, landed=lands)[0]
            rejected = 0

    @property
    def local(self) -> float:
        """The allowed local error of the next step: docs/flow.md, (9b.12)."""
        share = 1.0 if self.degree is None else min(1.0, max(self.state.path_length / BEGUN, FIRST))
        return share * self.control.tolerance

    @property
    def _clocks(self) -> list[float]:
        return self.state.memory["clocks"].tolist()

    def _unit(self, x: Tensor) -> Tensor:
        return x if self.degree is None else x / x.norm()

    def _ln_scale(self, clock: float) -> float:
        """ln s, s = ‖W‖^L; 0 without a degree."""
        return 0.0 if self.degree is None else self.degree * (math.log(self.state.start_norm) + clock)

    def _next(self, size: float) -> None:
        if self.control.underflows(size):
            raise Underflow
        self.state = dataclasses.replace(self.state, step_size=size)

    def _remember(self, **changes: Tensor) -> None:
        self.state = dataclasses.replace(self.state, memory={**self.state.memory, **changes})

    def _attempt(self, h: float) -> Solution:
        """One step of size h."""
        memory, clocks = self.state.memory, self._clocks
        base, share, ahead = backward.start(memory["points"], clocks, h)
        problem = Problem(
            base=base,
            share=share,
            at=self._unit(ahead),
            newest=memory["points"][-1],
            ln_scale=self._ln_scale(clocks[-1] + h),
            window=float(memory["window"]),
            local=self.local,
            kinked=bool(memory["kinked"]),
            exact=float(memory["cancellation"]) < CANCELLATION,
        )
        return ProximalStep(self.map, self.precise, self.loss, problem, memory["margins"]).solve()

    def _accept(self, end: Solution, h: float, lands: bool, size: float) -> None:
        memory, clocks = self.state.memory, self._clocks
        clock = self.control.next_point(clocks[-1]) if lands else clocks[-1] + h
        weighty = end.start[end.shares > WEIGHTY / len(end.cuts)]
        least = float(end.start.min())
        window = max(WIDER * float(weighty.max() - least), NARROWEST * abs(least))
        if self.degree is None:
            cos = float(end.x @ end.velocity) / float(end.x.norm() * end.velocity.norm())
        else:
            cos = self.degree * end.pull / math.hypot(self.degree * end.pull, float(end.velocity.norm()))
        double = {"dtype": torch.float64}
        self._remember(
            clocks=torch.tensor([*clocks, clock], **double)[-3:],
            points=torch.cat([memory["points"], end.x[None]])[-3:],
            margins=end.margins,
            shares=end.shares.view_as(end.margins),
            window=torch.tensor(window, **double),
            kinked=torch.tensor(end.kinked),
            cancellation=torch.tensor(end.cancellation, **double),
            cos=torch.tensor(cos, **double),
            temperature=torch.tensor(end.temperature, **double),
        )
        weights = end.x if self.degree is None else end.x * (self.state.start_norm * math.exp(clock))
        self.state = advance(self.state, weights, size, end.evaluations, jacobians=self.state.jacobians + end.jacobians)

    def _record(self, **measured: float | bool) -> tuple[Step, float]:
        """The step, and the length of the path to each unit of the clock, by the gradient at the point itself."""
        memory, clock = self.state.memory, self._clocks[-1]
        x, margins = memory["points"][-1], memory["margins"]
        ln_scale = self._ln_scale(clock)
        # those that the step was solved for: at the point itself an error of 1/s in a margin changes its weight e-fold
        q = memory["shares"] if "shares" in memory else self.loss.weights(margins, ln_scale)
        v = gradient(self.map, x, q)
        size = float(v.norm())
        # NaN where the gradient vanishes, or its square does: all units are dead
        cos_point = float(x @ v / x.norm()) / size if size > 0 else math.nan
        if float(memory.get("temperature", 1.0)) == 0:
            measured["temperature"] = 0.0
        step = record(
            self.loss,
            self.state,
            self.state.weights,
            margins,
            q,
            ln_scale=ln_scale,
            cos=float(memory.get("cos", cos_point)),
            cos_point=cos_point,
            resolution=resolution(self.precise, margins) * math.exp(min(ln_scale, LARGEST_LN)),
            **measured,
        )
        tan = 1.0 if self.degree is None else math.sqrt(max(1 - cos_point**2, 0.0)) / max(cos_point, TINY)
        return step, tan
