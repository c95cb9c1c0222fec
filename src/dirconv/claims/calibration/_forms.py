"""The parts of a set of trajectories whose answer is known: speeds, and families of speeds."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

PER_FAMILY = 60  # cases


@dataclasses.dataclass(frozen=True)
class Speed:
    """tan ∠ as a function of τ, arrays of one shape, observed up to τ = `end`."""

    at: Callable[[np.ndarray], np.ndarray]
    end: float
    chatter: float = 0.0  # added to the recorded speed by steps that jump to and fro, and get nowhere


@dataclasses.dataclass(frozen=True)
class Family:
    """Speeds of one form."""

    draw: Callable[[np.random.Generator], Speed]
    converges: bool
    aligns: bool
    cases: int = PER_FAMILY


def between(random: np.random.Generator, low: float, high: float) -> float:
    """A random number from `low` to `high` whose logarithm is uniform."""
    return math.exp(random.uniform(math.log(low), math.log(high)))
