"""Options that the problems share. Imports no torch: a workflow only names problems."""

from __future__ import annotations

import dataclasses

from dirconv.options import require_positive


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flowing:
    """Options of every problem whose flow is followed by `dirconv.flow.methods.bundle`."""

    tau: float = 6.0  # where the flow stops
    tolerance: float = 0.02  # of the direction at the end, in radians, where the map is smooth
    land: int = 8  # points at which a step ends and the direction is recorded, to each doubling of 1 + τ
    descent: int = 5000  # most steps to ℒ < ℓ(0)

    def __post_init__(self) -> None:
        require_positive(self, "tau", "tolerance", "land", "descent")
