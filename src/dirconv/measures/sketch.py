r"""A count sketch of the direction: θ summed with random signs into 512 numbers, small enough to be committed.

    s_b = Σ_{j: h(j) = b} σ_j θ_j,     h: coordinates → 512 buckets and σ: coordinates → ±1 drawn once for each D.

Sketches preserve distances: E‖s − s'‖² = ‖θ − θ'‖², with a relative standard deviation of √(2/512) = 6 % (of the
square). So the angle between two runs' directions at equal τ, at two tolerances for example, follows from tables.

Source: Charikar, Chen & Farach-Colton (2002); Weinberger et al. (2009) for the variance.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from dirconv.geometry import directions
from dirconv.measures import Trajectory

NUMERICS = 1
GOES_THROUGH = ("geometry",)
BUCKETS = 512
SEED = 20200611  # of hash and signs; sketches with different seeds cannot be compared


def table(trajectory: Trajectory) -> pd.DataFrame:
    """A row a snapshot and bucket: snapshot, tau, landed (the step ended on a τ that runs share), bucket, value."""
    random = np.random.default_rng((SEED, trajectory.weights.shape[1]))
    bucket = random.integers(BUCKETS, size=trajectory.weights.shape[1])
    sign = random.choice([-1.0, 1.0], size=trajectory.weights.shape[1])
    landed = trajectory.steps.set_index("step").loc[trajectory.snapshot_steps, "landed"].to_numpy()
    parts = []
    rows = trajectory.at_snapshots.itertuples(index=False)
    for row, theta, met in zip(rows, directions(trajectory.weights), landed, strict=True):
        value = np.bincount(bucket, weights=sign * theta.cpu().numpy(), minlength=BUCKETS)
        part = pd.DataFrame({"bucket": np.arange(BUCKETS, dtype=np.int32), "value": value})
        parts.append(part.assign(snapshot=np.int32(row.snapshot), tau=row.tau, landed=bool(met)))
    return pd.concat(parts, ignore_index=True)
