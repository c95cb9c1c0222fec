r"""The local degree of a network, ⟨W, ∇p_i⟩/p_i: equal to L for a homogeneous one (Euler's identity).

With biases, or with summands of several degrees, it varies from point to point; where it tends to a constant along the
flow, the network becomes homogeneous as its weights grow. Computed by central differences in the scale,
(p(W(1 + h)) − p(W(1 − h)))/2h, in float64; the error is about L³h²/6.
"""

from __future__ import annotations

import pandas as pd
import torch

from dirconv.measures import Trajectory

NUMERICS = 1
H = 1e-5  # h


def table(trajectory: Trajectory) -> pd.DataFrame:
    """A row a snapshot: degree_mean = Σ q_i ⟨W, ∇p_i⟩/Σ q_i p_i, q the loss's softmin weights; quantiles over examples
    of ⟨W, ∇p_i⟩/p_i, which is meaningless where p_i is close to zero.
    """
    margin_map = trajectory.train.precise()
    rows = []
    for row in trajectory.at_snapshots.itertuples(index=False):
        weights = trajectory.at(row.snapshot)
        margins = margin_map.values(weights)
        inner = (margin_map.values(weights * (1 + H)) - margin_map.values(weights * (1 - H))) / (2 * H)
        q = trajectory.loss.weights(margins, trajectory.ln_scale(row.norm))
        degrees = (inner / margins).flatten()
        mean = float((q * inner).sum() / (q * margins).sum())
        quantiles = torch.quantile(degrees, degrees.new_tensor([0.05, 0.5, 0.95])).tolist()
        names = ("degree_mean", "degree_q05", "degree_q50", "degree_q95")
        rows.append(dict(zip(names, (mean, *quantiles), strict=True)))
    return trajectory.table(rows)
