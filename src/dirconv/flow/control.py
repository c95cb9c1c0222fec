r"""Step-size control: which step is accepted, how long the next one is, and where a step has to end.

Where the local error e of a step of size h is of order p, e ∝ h^p, a step is accepted when e ≤ tolerance, and

    h⁺ = h · clip(0.9 (tolerance/e)^(1/p), 0.2, 2)

is the size of the next one (the elementary controller: Hairer, Nørsett & Wanner, Solving ODEs I, II.4). A rejected
step is retried with h · min(factor, 0.9). With `land`, a step ends exactly at every multiple of it in the clock.
"""

from __future__ import annotations

import dataclasses
import math

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

    def accepts(self, error: float) -> bool:
        """Whether e ≤ tolerance. NaN is accepted as well: the flow then ends at that point, and says why."""
        return not error > self.tolerance

    def factor(self, error: float, order: int) -> float:
        """clip(0.9 (tolerance/e)^(1/p), 0.2, 2), p = `order`."""
        ratio = self.tolerance / max(error, 1e-300)
        root = math.sqrt(ratio) if order == 2 else ratio ** (1 / order)
        return min(max(SAFETY * root, SHRINK), GROWTH)

    def after_accepted(self, taken: float, planned: float, factor: float) -> float:
        """The next size after an accepted step of size `taken`; `planned`: its size before it was cut short to land.

        A step that was cut short says little about the next one: the planned size stands unless the error forbids it.
        """
        kept = min(planned, GROWTH * taken) if factor >= 1 else 0.0
        return min(max(taken * factor, kept), self.largest_step)

    def after_rejected(self, tried: float, factor: float) -> float:
        """The size of the next attempt after a rejected one of size `tried`."""
        return min(tried * min(factor, RETRY), self.largest_step)

    def underflows(self, size: float) -> bool:
        """Whether a step of this size is too small to be tried."""
        return not size > self.smallest_step

    def landing(self, planned: float, clock: float) -> tuple[float, bool]:
        """The size of the step to be tried at `clock`, and whether it ends at a point where a step has to end.

        A step that would pass that point ends there. One that would leave less than its own size goes halfway: two
        even steps rather than a long and a tiny one.
        """
        size = min(planned, self.largest_step)
        if self.land is None and self.per_doubling is None:
            return size, False
        rest = self.next_point(clock) - clock
        if size > rest * (1 - 1e-6):
            return rest, True
        return rest / 2 if 2 * size > rest else size, False

    def next_point(self, clock: float) -> float:
        """The first point after `clock` where a step has to end."""
        if self.per_doubling is None:
            return (math.floor(clock / self.land + 1e-9) + 1) * self.land
        point = 2.0 ** ((math.floor(self.per_doubling * math.log2(1 + clock) + 1e-9) + 1) / self.per_doubling) - 1
        return self.goal if clock < self.goal < point else point
