"""The path, step by step: risk, norm, path length ζ, alignment, smoothed margin, integration error."""

from __future__ import annotations

import pandas as pd

from dirconv.measures import Trajectory

NUMERICS = 1


def table(trajectory: Trajectory) -> pd.DataFrame:
    """A row a step: see `dirconv.flow.Step` for the columns, and `dirconv.flow.path_table` for tan, ã, below."""
    return trajectory.path
