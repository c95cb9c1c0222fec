"""Training and test error, and the mean test loss, along the flow."""

from __future__ import annotations

import pandas as pd

from dirconv.measures import Trajectory

NUMERICS = 1


def table(trajectory: Trajectory) -> pd.DataFrame:
    """A row a snapshot: train_error, test_error (shares), ln_mean_test_loss; see `Trajectory.tested`."""
    return trajectory.table([trajectory.tested(weights, point)[1] for _, weights, point in trajectory.snapshots])
