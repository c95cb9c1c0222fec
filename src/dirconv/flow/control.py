r"""Step-size control: which step is accepted, how long the next one is, and where a step has to end.

Where the local error e of a step of size h is of order p, e ∝ h^p, a step is accepted when e ≤ tolerance, and

    h⁺ = h · clip(0.9 (tolerance/e)^(1/p), 0.2, 2)

is the size of the next one (the elementary controller: Hairer, Nørsett & Wanner, Solving ODEs I, II.4). A rejected
step is retried with h · min(factor, 0.9). With `land`, a step ends exactly at every multiple of it in the clock.

One run passes floats. A batch of runs passes tensors (S,), one entry a run, and every formula holds elementwise.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

    Number = TypeVar("Number", float, Tensor)
    Truth = bool | Tensor

NUMERICS = 1
SAFETY = 0.9
SHRINK = 0.2  # smallest factor from one size to the next
GROWTH = 2.0  # largest one; BDF2 with varying steps is stable up to 1 + √2
RETRY = 0.9  # largest factor after a rejection


@dataclasses.dataclass(frozen=True, kw_only=True)
class StepControl:
    """The controller of one method; sizes are in the method's own clock.

    tolerance: bound of a step's local error. largest_step: bound of a step's size. smallest_step: sizes that are not
    above it underflow. land: distance in the clock between points where a step has to end; None: there are none.
    per_doubling: instead of `land`, how many such points each doubling of 1 + clock has, at 2^(k/m) − 1; `goal`
    is one more.
    """

    tolerance: float
    largest_step: float
    smallest_step: float
    land: float | None = None
    per_doubling: int | None = None
    goal: float = math.inf

    def accepts(self, error: Number) -> Truth:
        """Whether e ≤ tolerance. NaN is accepted as well: the flow then ends at that point, and says why."""
        rejected = error > self.tolerance
        return not rejected if isinstance(rejected, bool) else ~rejected

    def factor(self, error: Number, order: int | Tensor) -> Number:
        """clip(0.9 (tolerance/e)^(1/p), 0.2, 2), p = `order`."""
        ratio = self.tolerance / _at_least(error, 1e-300)
        return _at_most(_at_least(SAFETY * _root(ratio, order), SHRINK), GROWTH)

    def after_accepted(self, taken: Number, planned: Number, factor: Number) -> Number:
        """The next size after an accepted step of size `taken`; `planned`: its size before it was cut short to land.

        A step that was cut short says little about the next one: the planned size stands unless the error forbids it.
        """
        kept = _where(factor >= 1, _at_most(planned, GROWTH * taken), 0.0)
        return _at_most(_at_least(taken * factor, kept), self.largest_step)

    def after_rejected(self, tried: Number, factor: Number) -> Number:
        """The size of the next attempt after a rejected one of size `tried`."""
        return _at_most(tried * _at_most(factor, RETRY), self.largest_step)

    def underflows(self, size: Number) -> Truth:
        """Whether a step of this size is too small to be tried."""
        tried = size > self.smallest_step
        return not tried if isinstance(tried, bool) else ~tried

    def landing(self, planned: Number, clock: Number) -> tuple[Number, Truth]:
        """The size of the step to be tried at `clock`, and whether it ends at a point where a step has to end.

        A step that would pass that point ends there. One that would leave less than its own size goes halfway: two
        even steps rather than a long and a tiny one.
        """
        size = _at_most(planned, self.largest_step)
        if self.land is None and self.per_doubling is None:
            return size, False
        rest = self.next_point(clock) - clock
        lands = size > rest * (1 - 1e-6)
        return _where(lands, rest, _where(2 * size > rest, rest / 2, size)), lands

    def next_point(self, clock: Number) -> Number:
        """The first point after `clock` where a step has to end. With `per_doubling`, of a float only."""
        if self.per_doubling is None:
            return (_floor(clock / self.land + 1e-9) + 1) * self.land
        point = 2.0 ** ((math.floor(self.per_doubling * math.log2(1 + clock) + 1e-9) + 1) / self.per_doubling) - 1
        return self.goal if clock < self.goal < point else point


def _at_least(value: Number, bound: Number) -> Number:
    return max(value, bound) if isinstance(value, float) else value.clamp(min=bound)


def _at_most(value: Number, bound: Number) -> Number:
    return min(value, bound) if isinstance(value, float) else value.clamp(max=bound)


def _where(condition: Truth, value: Number, other: Number) -> Number:
    return (value if condition else other) if isinstance(condition, bool) else value.where(condition, other)


def _floor(value: Number) -> Number:
    return math.floor(value) if isinstance(value, float) else value.floor()


def _root(value: Number, order: int | Tensor) -> Number:
    return math.sqrt(value) if isinstance(value, float) and order == 2 else value ** (1 / order)
