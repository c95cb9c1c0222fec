"""Options that the problems share. Imports no torch: a workflow only names problems."""

from __future__ import annotations

import dataclasses

from dirconv.options import require_positive


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flowing:
    """Options of every problem that is followed as an ensemble."""

    tau: float = 6.0  # where its flow stops; margins that float64 cannot resolve end it before
    tolerance: float = 0.01  # of `dirconv.flow.proximal`
    land: float = 0.25  # of τ between kept directions
    descent: int = 5000  # steps to ℒ < ℓ(0), at most

    def __post_init__(self) -> None:
        require_positive(self, "tau", "tolerance", "land", "descent")
