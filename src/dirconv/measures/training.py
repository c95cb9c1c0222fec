"""Training before the flow, epoch by epoch: ln ℒ, ‖W‖, training and test error."""

from __future__ import annotations

import pandas as pd

from dirconv.measures import Trajectory

NUMERICS = 1


def table(trajectory: Trajectory) -> pd.DataFrame:
    """A row an epoch: epoch, ln_risk, norm, train_error, test_error."""
    return trajectory.training
