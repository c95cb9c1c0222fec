"""Training and test error, and the mean test loss, along the flow."""

from __future__ import annotations

import math

import pandas as pd

from dirconv.margins import error_rate
from dirconv.margins.network import evaluate
from dirconv.measures import Trajectory

NUMERICS = 1


def table(trajectory: Trajectory) -> pd.DataFrame:
    """A row a snapshot: train_error, test_error (shares), ln_mean_test_loss = ln of the mean of ℓ on test data."""
    rows = []
    for weights, point in zip(trajectory.weights, trajectory.points, strict=True):
        test = evaluate(trajectory.train, trajectory.test, weights.double())
        rows.append(
            {
                "train_error": error_rate(point.margins),
                "test_error": error_rate(test),
                "ln_mean_test_loss": float(trajectory.loss.ln_risk(test)) - math.log(len(test)),
            }
        )
    return pd.concat([trajectory.at_snapshots, pd.DataFrame(rows)], axis=1)
