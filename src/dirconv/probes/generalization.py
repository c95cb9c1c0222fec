r"""Test images along the flow: errors, loss, normalized margins, distances to the decision boundary.

Distances are L2, in the network's units (pixels standardized over the training images), of the first `ATTACKED`
correctly classified test images: an attack's, which is an upper bound, and the first-order estimate |g|/‖∇ₓg‖. There is
no certified lower bound: the product of the norms of convolutions would be too loose to be of use.
"""

from __future__ import annotations

import math

import pandas as pd
import torch
from torch import Tensor

from dirconv.margins import robustness
from dirconv.measures import Trajectory

NUMERICS = 1
GOES_THROUGH = ("robustness",)
ATTACKED = 64
ATTACK_STEPS = 100
QUANTILES = (5, 25, 50, 75, 95)  # per cent


def table(trajectory: Trajectory) -> pd.DataFrame:
    """A row a snapshot: below, train_error, test_error, ln_mean_test_loss, margin_q05 … margin_q95 (p/‖W‖^L, NaN where
    there is no degree), radius_attack_q25, q50, q75, radius_first_order_q50, radius_certified_q50 (NaN).
    """
    degree = trajectory.train.degree
    rows = []
    for row, weights, point in trajectory.snapshots:
        margins, errors = trajectory.tested(weights, point)
        normalized = margins.amin(1) * (math.nan if degree is None else 1.0)  # at unit norm where there is a degree
        quantiles = {f"margin_q{q:02d}": float(normalized.quantile(q / 100)) for q in QUANTILES}
        below = {"below": row.ln_risk < trajectory.loss.ln_at_zero}
        rows.append({**below, **errors, **quantiles, **_radii(trajectory, weights, margins)})
    return trajectory.table(rows)


def _radii(trajectory: Trajectory, weights: Tensor, margins: Tensor) -> dict[str, float]:
    """`robustness.radii` of the images that are attacked."""
    right = (margins.amin(1) > 0).nonzero().flatten()[:ATTACKED]
    images, labels = trajectory.test.images[right], trajectory.test.labels[right]
    fixed = trajectory.train.frozen(weights).on(images, labels)

    def outputs(x: Tensor) -> Tensor:
        # class 0 is the image's true class, with output zero; the others' outputs are minus its margins
        others = -fixed.margins(weights, x, labels)
        return torch.cat([torch.zeros_like(others[:, :1]), others], 1)

    return robustness.radii(outputs, images, torch.zeros_like(right), ATTACK_STEPS)
