"""Options that the problems share. Imports no torch: a workflow only names problems."""

from __future__ import annotations

import dataclasses

from dirconv.options import require_positive


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flowing:
    """Options of every problem whose seeds are followed as one batch."""

    tau: float = 6.0  # where the flow stops, unless float64 cannot resolve the margins there
    tolerance: float = 0.01  # see `dirconv.flow.methods.proximal`
    land: float = 0.25  # of τ between recorded directions
    descent: int = 5000  # most steps to ℒ < ℓ(0)

    def __post_init__(self) -> None:
        require_positive(self, "tau", "tolerance", "land", "descent")
