"""How far the direction θ = W/‖W‖ still moves between snapshots.

The angle to the last snapshot goes to zero by construction, whatever the direction does; it is recorded because the
paper's plots show it. Verdicts use the angles between successive log-spaced snapshots.
"""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from dirconv.geometry import arc, directions
from dirconv.measures import Trajectory

NUMERICS = 1
GOES_THROUGH = ("geometry",)


def table(trajectory: Trajectory) -> pd.DataFrame:
    """A row a snapshot: angle_from_previous (NaN at the first), angle_to_last, in radians."""
    theta = directions(trajectory.weights)
    from_previous = [float((a - b).norm()) for a, b in itertools.pairwise(theta)]
    to_last = [float((a - theta[-1]).norm()) for a in theta]
    return trajectory.at_snapshots.assign(angle_from_previous=arc([np.nan, *from_previous]), angle_to_last=arc(to_last))
