r"""Both sides of the identities of `dirconv.flow.rates` along the flow, each differentiated its own way.

Everything is computed in float64 at θ = W/‖W‖, whatever the network's precision: margins and v = Σ q ∇p backward
through the map, the margins' rates ṗ forward along v (`torch.func.jvp`, chunk by chunk). To bound the cost, at most
`SNAPSHOTS` of a run's snapshots with ℒ < ℓ(0) are used, evenly spread in their order, including the first and the last.

`resolution` = 16 · 2⁻⁵³ · |min p| is about the rounding error of a margin, hence of ln q. Both sides use the same q and
may agree more closely; but where the resolution nears one, q is rounding noise and v not the flow's direction.

The table is empty for a map without a degree, which has no ã, and with batch statistics, which change along v with W.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from dirconv.flow.point import resolution
from dirconv.flow.rates import FIELDS, decompose
from dirconv.margins.network import NetworkMap
from dirconv.measures import Trajectory, exp

NUMERICS = 1
GOES_THROUGH = ("point", "rates")
SNAPSHOTS = 12
COLUMNS = {
    **{"snapshot": "int64", "step": "int64", "tau": "float64", "ln_risk": "float64", "norm": "float64"},
    **{"resolution": "float64", **dict.fromkeys(FIELDS, "float64"), "quantity": "str"},
}


def table(trajectory: Trajectory) -> pd.DataFrame:
    """Two rows a snapshot, one a quantity: left = radial + spherical, up to the relative `difference`."""
    snapshots = trajectory.at_snapshots
    snapshots = snapshots[snapshots["ln_risk"] < trajectory.loss.ln_at_zero]
    if trajectory.train.degree is None or trajectory.train.coupled:
        snapshots = snapshots.iloc[:0]
    count = len(snapshots)
    chosen = np.unique(np.linspace(0, count - 1, min(count, SNAPSHOTS)).round().astype(int))
    exact = trajectory.train.precise()
    rows = []
    for row in snapshots.iloc[chosen].itertuples(index=False):
        theta, ln_scale = trajectory.at(row.snapshot), trajectory.ln_scale(row.norm)
        p, pullback = exact.linearize(theta)
        velocity = pullback(trajectory.loss.weights(p, ln_scale))
        blur = resolution(exact, p) * exp(ln_scale)
        forward = rates(exact, theta, velocity)
        parts = decompose(trajectory.loss, exact.degree, theta, p, velocity, forward, ln_scale)
        rows += [{**row._asdict(), "resolution": blur, **part} for part in parts]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def rates(margin_map: NetworkMap, weights: Tensor, velocity: Tensor) -> Tensor:
    """ṗ = ⟨∇p(W), v⟩ (n, K−1) by forward differentiation; W and v: (D,), float64."""
    parts = []
    for images, labels in zip(
        margin_map.images.split(margin_map.chunk), margin_map.labels.split(margin_map.chunk), strict=True
    ):

        def part(w: Tensor, images: Tensor = images, labels: Tensor = labels) -> Tensor:
            return margin_map.margins(w, images, labels)

        parts.append(torch.func.jvp(part, (weights,), (velocity,))[1].detach())
    return torch.cat(parts)
