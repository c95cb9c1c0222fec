"""The implementation of `proximal`: geometry, corrector, error. That module's docstring has the equations."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import torch
from torch import Tensor

from dirconv.flow import State, Step, Underflow, dual
from dirconv.flow.control import StepControl
from dirconv.flow.methods.proximal import Spec
from dirconv.flow.point import advance, record, resolution
from dirconv.losses import Loss
from dirconv.margins import MarginMap, Rows

SMALLEST_STEP = 1e-13  # in the clock
SLACK = 0.5  # examples with p ≤ (1 + slack) min p take part, where a study does not say
LEAK = 1e-6  # softmin weight that the examples left out may carry together
UNSOLVED = 0.5  # factor on the size of a step whose corrector failed
SLOW = 5  # corrections above which the next step is not longer
CORRECTIONS = 8  # of a step until its position stands, at most
POLISHED = 20  # and until the gradient at its end is the one that it was made with, where that can be had
FAINT = -60.0  # ln q of an example that has just been taken in
ENOUGH = 0.01  # rounding error of the smallest margin up to which the network's own precision serves
SOLVED = 0.1  # share of the local error that the corrector may leave
OLD = 0.4  # contraction of the corrector above which K is made anew


class _Retry(ArithmeticError):
    """The step is to be made again: shorter, or with the examples that `wanted` marks."""

    def __init__(self, wanted: Tensor | None = None) -> None:
        super().__init__()
        self.wanted = wanted


@dataclasses.dataclass(frozen=True)
class _Geometry:
    """What differs between homogeneous maps, followed on the sphere in τ, and others, followed in space."""

    degree: int | None
    radius: float  # ‖W‖ where the clock is zero

    def x(self, weights: Tensor) -> Tensor:
        """The point that is followed."""
        return weights if self.degree is None else weights / weights.norm()

    def weights(self, x: Tensor, clock: float) -> Tensor:
        """The weights at x, which need not be of unit length."""
        return x if self.degree is None else x * (self.radius * math.exp(clock) / x.norm())

    def speed(self, at: Tensor, v: Tensor, pull: float) -> float:
        """The factor s of F = s v (on the sphere without its radial part), pull = Σ q p."""
        norm = float(at.norm())
        return norm / float(v.norm()) if self.degree is None else norm / (self.degree * pull)

    def velocity(self, at: Tensor, v: Tensor, speed: float) -> Tensor:
        """F at the weights `at`."""
        if self.degree is None:
            return speed * v
        unit = at / at.norm()
        return speed * (v - unit * (unit @ v))

    def compare(self, rows: Rows, at: Tensor, unit: float) -> Tensor:
        """K, at unit norm: the Gram matrix, on the sphere without the radial part; made safely positive."""
        gram = rows.gram()
        shift = 8 * unit * len(gram) ** 0.5 * float(gram.diagonal().mean())
        if self.degree is not None:
            p = rows.margins.flatten()
            gram = gram - (self.degree / float(at.norm())) ** 2 * torch.outer(p, p)
        gram.diagonal().add_(shift)
        return gram / self._growth(at)

    def grown(self, gram: Tensor, at: Tensor) -> Tensor:
        """K at the norm of `at`."""
        return gram * self._growth(at)

    def _growth(self, at: Tensor) -> float:
        return 1.0 if self.degree is None else float(at.norm()) ** (2 * self.degree - 2)


@dataclasses.dataclass(frozen=True)
class _End:
    """Where an attempted step came to."""

    x: Tensor
    weights: Tensor
    margins: Tensor  # of all examples, (n, K−1)
    ln_q: Tensor  # of all margins, −∞ for those left out
    cos: float  # of the velocity
    corrections: int  # until its position stood
    contraction: float  # of the last correction


class Flow:
    """One flow: its state, replaced as steps are accepted. `proximal.Spec` says what the numbers mean."""

    def __init__(self, margin_map: MarginMap, loss: Loss, spec: Spec, state: State) -> None:
        self.map, self.precise, self.loss = margin_map, margin_map.precise(), loss
        self.local = spec.tolerance**1.5
        self.control = StepControl(
            tolerance=self.local,
            largest_step=spec.largest_step,
            smallest_step=SMALLEST_STEP,
            land=None if margin_map.degree is None else spec.land,
        )
        self.slack = SLACK if spec.slack is None else spec.slack
        self.state = state
        if state.memory:
            self.margins = state.memory["margins"]
        else:
            self.margins = self.precise.values(state.weights)
            self._remember(
                margins=self.margins,
                radius=state.weights.norm(),
                clocks=torch.zeros(1, dtype=torch.float64),
                points=(state.weights if margin_map.degree is None else state.weights / state.weights.norm())[None],
                ln_q=torch.log_softmax(loss.ln_slopes(self.margins).flatten(), 0),
                wanted=torch.zeros(len(self.margins), dtype=torch.bool, device=self.margins.device),
            )
        self.geometry = _Geometry(margin_map.degree, float(self.state.memory["radius"]))

    def steps(self) -> Iterator[Step]:
        """See `proximal.steps`."""
        point, v = self._record()
        yield point
        if math.isnan(self.state.step_size):
            # of the first order, and so short that its error can be neglected
            pull = float((self.loss.weights(self.margins) * self.margins).sum())
            speed = self.geometry.speed(self.state.weights, v, pull)
            length = float(self.geometry.velocity(self.state.weights, v, speed).norm())
            size = self.local if self.geometry.degree is not None else self.local * float(self.state.weights.norm())
            longest = self.control.largest_step
            self._next(min(0.1 * size / length, longest) if length != 0 else longest)
        rejected = 0
        while True:
            h, lands = self.control.landing(self.state.step_size, float(self.state.memory["clocks"][-1]))
            try:
                end = self._attempt(h)
                error = self._error(end, h)
            except _Retry as retry:
                rejected += 1
                if retry.wanted is None:
                    self._next(self.control.after_rejected(h, UNSOLVED))
                else:
                    self._remember(wanted=retry.wanted)
                continue
            factor = self.control.factor(error, min(len(self.state.memory["clocks"]), 3))
            if not self.control.accepts(error):
                rejected += 1
                self._next(self.control.after_rejected(h, factor))
                continue
            if end.corrections > SLOW:
                factor = min(factor, 1.0)
            self._accept(end, h, self.control.after_accepted(h, self.state.step_size, factor))
            yield self._record(step_size=h, error=error, rejected=rejected, landed=lands)[0]
            rejected = 0

    def _next(self, size: float) -> None:
        if self.control.underflows(size):
            raise Underflow
        self.state = dataclasses.replace(self.state, step_size=size)

    def _remember(self, **changes: Tensor) -> None:
        self.state = dataclasses.replace(self.state, memory={**self.state.memory, **changes})

    def _forget_gram(self) -> None:
        kept = {name: value for name, value in self.state.memory.items() if name not in ("gram", "members")}
        self.state = dataclasses.replace(self.state, memory=kept)

    def _count(self, **changes: int) -> None:
        new = {name: getattr(self.state, name) + more for name, more in changes.items()}
        self.state = dataclasses.replace(self.state, **new)

    def _active(self) -> Tensor:
        """Which examples take part, (n,): a smallest margin near the smallest of all, a weight, or asked for before."""
        smallest = self.margins.amin(1)
        ln_q = self.state.memory["ln_q"].view(self.margins.shape).amax(1)
        least = float(smallest.min())
        near = smallest <= ((1 + self.slack) * least if least > 0 else math.inf)
        return near | (ln_q > -35.0) | self.state.memory["wanted"]

    def _attempt(self, h: float) -> _End:
        """One step of size h; once more with a new K where an old one may be why the corrector failed."""
        memory = self.state.memory
        if "gram" in memory and not bool(memory["members"][self._active()].all()):
            self._forget_gram()
        while True:
            fresh = "gram" not in self.state.memory
            try:
                return self._solve(h)
            except _Retry as retry:
                if fresh or retry.wanted is not None:
                    raise
                self._forget_gram()

    def _solve(self, h: float) -> _End:
        memory, geometry = self.state.memory, self.geometry
        clocks, points = memory["clocks"], memory["points"]
        base, share, predicted = points[-1], h, points[-1]
        if len(points) > 1:
            ratio = h / float(clocks[-1] - clocks[-2])
            base = ((1 + ratio) ** 2 * points[-1] - ratio**2 * points[-2]) / (1 + 2 * ratio)
            share = h * (1 + ratio) / (1 + 2 * ratio)
            predicted = points[-1] + ratio * (points[-1] - points[-2])
        clock = float(clocks[-1]) + h
        at = geometry.weights(predicted, clock)
        members = memory["members"] if "gram" in memory else self._active()
        examples = members.nonzero().flatten()
        rows = self.map.rows(at, examples)
        if "gram" not in memory:
            self._remember(gram=geometry.compare(rows, at, self.map.unit), members=members)
            self._count(jacobians=1)
        gram = geometry.grown(self.state.memory["gram"], at)
        width = rows.margins.shape[1]
        chosen = members.repeat_interleave(width)
        ln_q = torch.log_softmax(memory["ln_q"][chosen].clamp(min=FAINT), 0)  # finite for those newly taken in
        stretch = float(at.norm()) if geometry.degree is not None else 1.0
        expected, moves, settled = None, [], 0
        while True:
            q = ln_q.exp()
            v = rows.pullback(q.view(-1, width))
            pull = float(q @ rows.margins.flatten())
            if not (bool(v.any()) if geometry.degree is None else pull > 0):  # the gradient vanishes, or the margin
                raise _Retry
            speed = geometry.speed(at, v, pull)
            x = base + share * geometry.velocity(at, v, speed)
            weights = geometry.weights(x, clock)
            margins = self._arithmetic().values(weights, examples)
            self._count(evaluations=1)
            slopes = self.loss.ln_slopes(margins).flatten()
            a = share * speed * stretch * gram
            if not bool(torch.isfinite(a).all() & torch.isfinite(slopes).all()):
                raise _Retry
            found = dual.solve(a, -(slopes + a @ q), ln_q)
            change = found.q - q
            distance = float(change @ gram @ change)
            moves.append(share * speed * math.sqrt(max(distance, 0.0)) * stretch / float(at.norm()))
            level = float(torch.logsumexp(slopes, 0))
            as_expected = expected is not None and abs(level - expected) <= 0.02 * max(1.0, abs(level))
            if moves[-1] <= SOLVED * self.local and (as_expected or float(change.abs().sum()) < 0.01):
                settled = settled or len(moves)
            if settled:
                if len(moves) >= POLISHED or not self._polishes or self._agree(q, found.q, a @ change):
                    break
            elif len(moves) == CORRECTIONS or not moves[-1] < (0.7 * moves[-2] if len(moves) > 3 else math.inf):
                raise _Retry
            expected = float(torch.logsumexp(slopes - a @ change, 0))
            ln_q = found.ln_q
        cos = float(at @ v) / float(at.norm() * v.norm())
        contraction = moves[settled - 1] / moves[settled - 2] if settled > 2 else 0.0
        everyone = self._everyone(weights, examples, margins)
        full = torch.full((everyone.numel(),), -torch.inf, dtype=torch.float64, device=everyone.device)
        full[chosen] = ln_q
        return _End(geometry.x(x), weights, everyone, full, cos, settled, contraction)

    @property
    def _polishes(self) -> bool:
        """Whether q at the end of a step can be told from its margins: rows in float32 blur it."""
        return self.map.unit < 1e-12

    @staticmethod
    def _agree(q: Tensor, found: Tensor, shift: Tensor) -> bool:
        """Whether the slopes at the end of the step give the q that the step was made with."""
        shift = shift[(q > 1e-6) | (found > 1e-6)]
        return float(shift.max() - shift.min()) < 0.05

    def _arithmetic(self) -> MarginMap:
        """The network's own precision while its rounding errors are far below one, and float64 from there on."""
        return self.map if resolution(self.map, self.margins) < ENOUGH else self.precise

    def _everyone(self, weights: Tensor, examples: Tensor, margins: Tensor) -> Tensor:
        """All margins; _Retry with those who carry weight though they were left out."""
        # in the network's own precision: it matters only whether they are far from the smallest
        everyone = self.map.values(weights)
        everyone[examples] = margins
        left_out = self.loss.weights(everyone)
        left_out[examples] = 0.0
        if float(left_out.sum()) > LEAK:
            raise _Retry(self.state.memory["wanted"] | (left_out.amax(1) > 0.5 * LEAK / left_out.numel()))
        return everyone

    def _error(self, end: _End, h: float) -> float:
        """Local error relative to ‖x‖, from the distance to the polynomial through the last points."""
        clocks, points = self.state.memory["clocks"], self.state.memory["points"]
        times = [float(clock) for clock in clocks]
        now = times[-1] + h
        if len(times) == 1:
            return 0.5 * float((end.x - points[0]).norm() / end.x.norm())
        weights = [math.prod((now - b) / (a - b) for b in times if b != a) for a in times]
        predicted = torch.tensordot(points.new_tensor(weights), points, 1)
        if self.geometry.degree is not None:
            predicted = predicted / predicted.norm()
        distance = float((end.x - predicted).norm() / end.x.norm())
        if len(times) == 2:
            return 0.5 * distance
        ratio = h / (times[-1] - times[-2])
        # both times x‴: the local error of the formula, and that of the extrapolated parabola
        formula = (1 + ratio) ** 2 * h**3 / (6 * ratio * (1 + 2 * ratio))
        return distance * formula / (formula + math.prod(now - t for t in times) / 6)

    def _accept(self, end: _End, h: float, size: float) -> None:
        memory = self.state.memory
        self._remember(
            clocks=torch.cat([memory["clocks"], memory["clocks"][-1:] + h])[-3:],
            points=torch.cat([memory["points"], end.x[None]])[-3:],
            ln_q=end.ln_q,
            margins=end.margins,
            cos=torch.tensor(end.cos, dtype=torch.float64),
        )
        if end.contraction > OLD or end.corrections > 4:
            self._forget_gram()
        self.state, self.margins = advance(self.state, end.weights, size, evaluations=1), end.margins

    def _record(self, **measured: float | bool) -> tuple[Step, Tensor]:
        """The step, and v = Σ q ∇p at the point itself, q from the margins there."""
        weights, margins = self.state.weights, self.margins
        examples = self._active().nonzero().flatten()
        q = self.loss.weights(margins)
        v = self.map.rows(weights, examples).pullback(q[examples])
        cos_point = float(weights @ v / (weights.norm() * v.norm()))  # NaN where the gradient vanishes: all units dead
        step = record(
            self.loss,
            self.state,
            weights,
            margins,
            q,
            cos=float(self.state.memory.get("cos", cos_point)),
            cos_point=cos_point,
            resolution=resolution(self._arithmetic(), margins),
            **measured,
        )
        return step, v
