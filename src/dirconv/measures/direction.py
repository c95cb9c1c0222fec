"""How far the direction θ = W/‖W‖ still moves between snapshots.

The angle to the last snapshot goes to zero by construction, whatever the direction does; it is kept because the
paper's plots show it, and named for what it is. The angles between successive log-spaced snapshots decide.
"""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from dirconv.measures import Trajectory, angle, directions


def table(trajectory: Trajectory) -> pd.DataFrame:
    """A row a snapshot: angle_from_previous (NaN at the first), angle_to_last, in radians."""
    theta = directions(trajectory.weights)
    previous = [np.nan, *(angle(a, b) for a, b in itertools.pairwise(theta))]
    last = [angle(a, theta[-1]) for a in theta]
    return trajectory.at_snapshots.assign(angle_from_previous=previous, angle_to_last=last)
