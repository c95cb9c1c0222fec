"""What the sets of known trajectories are made of."""

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
    """tan ∠ as a function of τ (arrays), up to an observed `end`."""

    at: Callable[[np.ndarray], np.ndarray]
    end: float
    chatter: float = 0.0  # what jumping to and fro adds to the speed that is recorded, and goes nowhere


@dataclasses.dataclass(frozen=True)
class Family:
    """Speeds of one form."""

    draw: Callable[[np.random.Generator], Speed]
    converges: bool
    aligns: bool
    cases: int = PER_FAMILY


def between(random: np.random.Generator, low: float, high: float) -> float:
    """A number whose logarithm is uniform."""
    return math.exp(random.uniform(math.log(low), math.log(high)))
