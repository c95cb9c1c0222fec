"""Norms and alignment of each parameter tensor, at every snapshot.

A layer W_k in front of batch normalization can never align: the network does not depend on its scale, so
⟨W_k, ∇_k ℒ⟩ = 0 (with batch statistics, and up to the normalization's ε). Where the map is homogeneous of degree one in
each of L layers, ‖W_k‖² − ‖W_j‖² is constant along the gradient flow.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from dirconv.measures import Trajectory

NUMERICS = 1


def table(trajectory: Trajectory) -> pd.DataFrame:
    """A row a snapshot and parameter tensor: layer, norm, cos (of W_k with −∇_k ℒ), shares of ‖W‖² and ‖∇ℒ‖²."""
    parts = []
    for row, _, point in trajectory.snapshots:
        product = np.sqrt(point.weights_squared * point.velocity_squared)
        part = {
            "layer": [block.name for block in trajectory.blocks],
            "layer_norm": np.sqrt(point.weights_squared) * point.norm,
            "cos": np.divide(point.inner, product, out=np.zeros_like(product), where=product > 0),
            "weight_share": point.weights_squared / point.weights_squared.sum(),
        }
        with np.errstate(invalid="ignore"):  # where all units are dead the gradient is zero
            part["gradient_share"] = point.velocity_squared / point.velocity_squared.sum()
        parts.append(pd.DataFrame(part).assign(**row._asdict()))
    return pd.concat(parts, ignore_index=True)
