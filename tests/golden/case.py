"""What a golden run is: a tiny computation whose numbers are recorded in numbers/<case>.json."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

Numbers = dict[str, float | str | list[float] | list[str]]

CASES: dict[str, Case] = {}


@dataclasses.dataclass(frozen=True)
class Case:
    """A golden run.

    Two numbers agree if they differ by at most `absolute` + `relative` · scale. The scale of a list is its largest
    magnitude, so a list holds numbers of one kind. Text and NaN have to be the same.
    """

    name: str
    parts: tuple[str, ...]  # of dirconv.numerics: those that it is there for, and others that they are run with
    run: Callable[[], Numbers]
    relative: float
    absolute: float


def golden(*parts: str, name: str | None = None, relative: float = 1e-9, absolute: float = 1e-12):
    """Register a function as the golden run of these parts. Its name is that of the first, unless another is given.

    The tolerances' defaults are for float64 without an adaptive choice that rounding could turn.
    """

    def register(run: Callable[[], Numbers]) -> Callable[[], Numbers]:
        known = name or parts[0]
        if known in CASES:
            raise ValueError(f"two golden runs are called {known}")
        CASES[known] = Case(known, parts, run, relative, absolute)
        return run

    return register
