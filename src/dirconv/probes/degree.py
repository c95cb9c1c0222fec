r"""The degree that a network seems to have where it is: ⟨W, ∇p_i⟩/p_i, which is L for a homogeneous one (Euler).

A network with biases, or one whose summands are of several degrees, has another at every point; where it tends to a
constant along the flow, the network becomes homogeneous as its weights grow. By central differences in the scale,
(p(W(1 + h)) − p(W(1 − h)))/2h, in float64; the error is about L³h²/6.
"""

from __future__ import annotations

import pandas as pd
import torch

from dirconv.measures import Trajectory

H = 1e-5


def table(trajectory: Trajectory) -> pd.DataFrame:
    """A row a snapshot: degree_mean = Σ q_i ⟨W, ∇p_i⟩/Σ q_i p_i, q the loss's softmin weights; quantiles over examples
    of ⟨W, ∇p_i⟩/p_i, which says little where p_i is next to zero.
    """
    margin_map = trajectory.train.precise()
    rows = []
    for weights in trajectory.weights:
        weights = weights.double()
        margins = margin_map.values(weights)
        pull = (margin_map.values(weights * (1 + H)) - margin_map.values(weights * (1 - H))) / (2 * H)
        q = trajectory.loss.weights(margins)
        each = (pull / margins).flatten()
        low, middle, high = torch.quantile(each, torch.tensor([0.05, 0.5, 0.95], dtype=each.dtype, device=each.device))
        rows.append(
            {
                "degree_mean": float((q * pull).sum() / (q * margins).sum()),
                "degree_q05": float(low),
                "degree_q50": float(middle),
                "degree_q95": float(high),
            }
        )
    return pd.concat([trajectory.at_snapshots, pd.DataFrame(rows)], axis=1)
