r"""Every example's margin at every snapshot, under several normalizations.

============  ========================================================================================
column        normalized margin of example i (for K classes, its smallest)
============  ========================================================================================
by_norm       p_i/‖W‖^L: the paper's, for a homogeneous network of degree L; NaN for others
by_risk       p_i/ℓ⁻¹(ℒ): needs no degree; the smallest margin tends to 1 from above
by_mean       p_i/mean_j |p_j|: the shape of the distribution alone
by_last       p_i/‖last layer‖: customary with batch normalization, which removes the scale of earlier layers;
              infinite where that overflows, as it does for a homogeneous network in the end
============  ========================================================================================

The paper does not say how it normalizes DenseNet's margins; docs/design.md lists which figure shows which.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from dirconv.measures import Trajectory, exp

NUMERICS = 1
TYPES = {
    "snapshot": "int32",
    "example": "int32",
    **dict.fromkeys(("by_norm", "by_risk", "by_mean"), "float32"),
    "by_last": "float64",  # which grows like ‖W‖^(L−1)
}


def table(trajectory: Trajectory) -> pd.DataFrame:
    """A row a snapshot and training example: snapshot, tau, ln_risk, example, and the columns above."""
    degree, last = trajectory.train.degree, _last_layer(trajectory)
    recorded = trajectory.path.set_index("step").loc[trajectory.snapshot_steps, "smoothed_margin"]
    parts = []
    for (row, _, point), smoothed in zip(trajectory.snapshots, recorded, strict=True):
        p = point.margins.amin(1).cpu().numpy()  # for maps with a degree at unit norm, as ã is
        inverse = trajectory.loss.inverse(row.ln_risk)
        if not math.isinf(inverse):  # as ln ℒ may be
            smoothed = inverse * exp(-point.ln_scale)
        last_norm = np.sqrt(point.weights_squared[last].sum())
        part = {
            "snapshot": row.snapshot,
            "tau": row.tau,
            "ln_risk": row.ln_risk,
            "example": np.arange(len(p)),
            "by_norm": p if degree is not None else np.nan,
            "by_risk": p / smoothed if smoothed > 0 else np.nan,
            "by_mean": p / np.abs(p).mean(),
            "by_last": p / last_norm * exp(point.ln_scale - math.log(point.norm)),
        }
        parts.append(pd.DataFrame(part).astype(TYPES))
    return pd.concat(parts, ignore_index=True)


def _last_layer(trajectory: Trajectory) -> list[int]:
    """Indices of the last layer's parameter tensors (its weights, and its biases if it has any)."""
    prefix = trajectory.blocks[-1].name.rsplit(".", 1)[0]
    return [i for i, block in enumerate(trajectory.blocks) if block.name.rsplit(".", 1)[0] == prefix]
