r"""The path's length by chords over a fixed partition of τ: the start and the steps that landed.

Steps land on τ_k whatever their size (`land` of a method), so the partition stays the same while steps are refined.
With θ_k the direction there,

    ζ_k = Σ_{j ≤ k} ∠(θ_(j−1), θ_j),     speed = ∠(θ_(k−1), θ_k)/(τ_k − τ_(k−1)).

As steps get small, ζ_k tends to the length of the polygon through points of the path, on maps that are not smooth too,
where the sum of the steps' lengths, `zeta` of the table `path`, tends to something longer. The polygon's is less than
the path's: on an arc that turns by δ between two neighbours by the share δ²/24. A chord over two intervals shows it:
on a smooth path it is shorter than its two halves by three times what these lack.

Source: docs/flow.md, section 9a.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from dirconv.geometry import angle, directions
from dirconv.measures import Trajectory

NUMERICS = 1
GOES_THROUGH = ("geometry",)


def table(trajectory: Trajectory) -> pd.DataFrame:
    """A row a snapshot of the partition: snapshot, step, tau, ln_risk, norm, and the columns below.

    chord: the angle from the previous row's direction, in rad, NaN in the first row; over_two: from the one before
    that; zeta: the sum of the chords, from 0; speed: of the last chord over Δτ, in rad per unit of τ.
    """
    rows = trajectory.at_snapshots
    landed = trajectory.steps.set_index("step").loc[trajectory.snapshot_steps, "landed"].to_numpy(dtype=bool)
    chosen = np.flatnonzero(landed | (rows["step"].to_numpy() == 0))
    rows = rows.iloc[chosen].reset_index(drop=True)
    theta = [directions(trajectory.weights[index]) for index in chosen.tolist()]
    chord = _angles(theta, 1)
    return rows.assign(
        chord=chord, over_two=_angles(theta, 2), zeta=np.nancumsum(chord), speed=chord / rows["tau"].diff().to_numpy()
    )


def _angles(theta: list, apart: int) -> np.ndarray:
    """The angle of each direction with the one that many places before it, NaN where there is none."""
    found = [angle(b, a) for a, b in zip(theta, theta[apart:], strict=False)]
    return np.array([np.nan] * (len(theta) - len(found)) + found)
