r"""Every example's margin at every snapshot, under several normalizations.

============  ========================================================================================
column        normalized margin of example i (for K classes, its smallest)
============  ========================================================================================
by_norm       p_i/‖W‖^L: the paper's, for a homogeneous network of degree L; NaN for others
by_risk       p_i/ℓ⁻¹(ℒ): needs no degree; the smallest margin tends to 1 from above
by_mean       p_i/mean_j |p_j|: the shape of the distribution alone
by_last       p_i/‖last layer‖: customary with batch normalization, which removes the scale of earlier layers
============  ========================================================================================

The paper does not say how it normalizes DenseNet's margins; docs/design.md lists which figure shows which.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from dirconv.measures import Trajectory

NUMERICS = 1
TYPES = {
    "snapshot": "int32",
    "example": "int32",
    **dict.fromkeys(("by_norm", "by_risk", "by_mean", "by_last"), "float32"),
}


def table(trajectory: Trajectory) -> pd.DataFrame:
    """A row a snapshot and training example (float32): snapshot, tau, ln_risk, example, and the columns above."""
    degree, last = trajectory.train.degree, _last_layer(trajectory)
    parts = []
    for row, _, point in trajectory.snapshots:
        p = point.margins.amin(1).cpu().numpy()
        smoothed = trajectory.loss.inverse(row.ln_risk)
        part = {
            "snapshot": row.snapshot,
            "tau": row.tau,
            "ln_risk": row.ln_risk,
            "example": np.arange(len(p)),
            "by_norm": p / row.norm**degree if degree is not None else np.nan,
            "by_risk": p / smoothed if smoothed > 0 else np.nan,
            "by_mean": p / np.abs(p).mean(),
            "by_last": p / np.sqrt(point.weights_squared[last].sum()),
        }
        parts.append(pd.DataFrame(part).astype(TYPES))
    return pd.concat(parts, ignore_index=True)


def _last_layer(trajectory: Trajectory) -> list[int]:
    """Indices of the last layer's parameter tensors (its weights, and its biases if it has any)."""
    prefix = trajectory.blocks[-1].name.rsplit(".", 1)[0]
    return [i for i, block in enumerate(trajectory.blocks) if block.name.rsplit(".", 1)[0] == prefix]
