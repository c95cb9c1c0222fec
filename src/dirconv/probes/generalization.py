r"""Test images as training goes on: errors, loss, normalized margins, distance to the decision boundary.

Distances are L2, in the units that the network gets (pixels standardized over the training images), of the first
`ATTACKED` test images among those classified rightly: what an attack finds, from above, and |g|/‖∇ₓg‖. No certified
bound is given: the product of the norms of convolutions says next to nothing.
"""

from __future__ import annotations

import math

import pandas as pd
import torch
from torch import Tensor

from dirconv.margins import error_rate, robustness
from dirconv.margins.network import evaluate
from dirconv.measures import Trajectory

ATTACKED = 64
ATTACK_STEPS = 100
QUANTILES = (5, 25, 50, 75, 95)  # per cent


def table(trajectory: Trajectory) -> pd.DataFrame:
    """A row a snapshot: below, train_error, test_error, ln_mean_test_loss, margin_q05 … margin_q95 (p/‖W‖^L, NaN where
    there is no degree), radius_attack_q25, q50, q75, radius_first_order_q50, radius_certified_q50 (NaN).
    """
    at = trajectory.at_snapshots
    rows = []
    for row, weights, point in zip(at.itertuples(index=False), trajectory.weights, trajectory.points, strict=True):
        margins = evaluate(trajectory.train, trajectory.test, weights.double())
        degree = trajectory.train.degree
        normalized = margins.amin(1) * (math.nan if degree is None else row.norm**-degree)
        rows.append(
            {
                "below": row.ln_risk < trajectory.loss.ln_at_zero,
                "train_error": error_rate(point.margins),
                "test_error": error_rate(margins),
                "ln_mean_test_loss": float(trajectory.loss.ln_risk(margins)) - math.log(len(margins)),
                **{f"margin_q{q:02d}": float(normalized.quantile(q / 100)) for q in QUANTILES},
                **_radii(trajectory, weights, margins),
            }
        )
    return pd.concat([at, pd.DataFrame(rows)], axis=1)


def _radii(trajectory: Trajectory, weights: Tensor, margins: Tensor) -> dict[str, float]:
    """Quantiles over the images that are attacked."""
    right = (margins.amin(1) > 0).nonzero().flatten()[:ATTACKED]
    images, labels = trajectory.test.images[right], trajectory.test.labels[right]
    fixed = trajectory.train.frozen(weights.double()).on(images, labels)

    def outputs(x: Tensor) -> Tensor:
        # class 0 is an image's own, at zero: the others are ahead of it by minus its margins
        others = -fixed.margins(weights.double(), x, labels)
        return torch.cat([torch.zeros_like(others[:, :1]), others], 1)

    attack = robustness.attacked(outputs, images, torch.zeros_like(right), ATTACK_STEPS)
    linear = robustness.first_order(outputs, images)
    return {
        **{f"radius_attack_q{q}": float(attack.quantile(q / 100)) for q in (25, 50, 75)},
        "radius_first_order_q50": float(linear.quantile(0.5)),
        "radius_certified_q50": math.nan,
    }
