r"""Input gradients: where an image would have to change for its margin to change, and how far that still moves.

    g_i = ∇_x p_i/‖∇_x p_i‖

of the first `EXAMPLES` training images. For two classes p_i = ±Φ(x_i), so g_i is the gradient of the network's output
up to its sign, and the angles are the output's own. For K classes p_i is the margin to the class that is nearest at the
last snapshot; the class nearest at each snapshot would make g_i jump. Since ∇_x p(cW) = c^L ∇_x p(W) for a homogeneous
network, g_i converges with W/‖W‖ if it is continuous at the limit. Unlike a margin it need not be: it jumps where a
ReLU or a maximum switches, however little W moves, and a path of many jumps is longer than its snapshots show. Angles
over one interval between snapshots and over two tell such a path (they do not add up) from a smooth one (they do).

The gradient is taken in float64 at the snapshot, whatever the network's precision. With batch statistics the
statistics are fixed at their average over the training images at that snapshot; otherwise g_i would depend on which
other images share a batch.

A picture is max |∂p/∂x| over the channels at each pixel, scaled by its largest value. Pictures are kept of the first
`PICTURED` images, at no more than `PICTURES` snapshots evenly spread in their order, and only of square images
(n, channels, side, side). The table does not hold the images themselves: measures may be passed on where a data set's
images may not.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from dirconv.geometry import arc, directions
from dirconv.margins.network import NetworkMap
from dirconv.measures import Trajectory, exp

NUMERICS = 1
GOES_THROUGH = ("geometry",)
EXAMPLES = 32
PICTURED = 4
PICTURES = 24
TYPES = {
    **{"snapshot": "int32", "example": "int32", "norm": "float64"},
    **dict.fromkeys(("moved", "over_two", "to_last"), "float32"),
}


def table(trajectory: Trajectory) -> pd.DataFrame:
    """A row a snapshot and example: snapshot, tau, ln_risk, example, and the columns below.

    norm: ‖∇_x p_i‖, infinite where that overflows; moved, over_two, to_last: angles of g_i with the previous
    snapshot's, the one before that and the last, in rad, NaN where there is none or a gradient vanishes; picture:
    (side²,) uint8 or None.
    """
    images, labels = trajectory.train.images[:EXAMPLES], trajectory.train.labels[:EXAMPLES]
    count = len(trajectory.weights)
    square = images.ndim == 4 and images.shape[2] == images.shape[3]
    pictured = set(np.linspace(0, count - 1, min(count, PICTURES)).round().astype(int)) if square else set()

    def at(index: int, other: Tensor | None = None) -> tuple[Tensor, Tensor]:
        weights = trajectory.at(index)
        return gradients(trajectory.train.frozen(weights).on(images, labels).precise(), weights, other)

    last, other = at(count - 1)
    last = directions(last.flatten(1))  # NaN where a gradient vanishes
    before = previous = torch.full_like(last, math.nan)
    parts = []
    for row in trajectory.at_snapshots.itertuples(index=False):
        gradient, _ = at(row.snapshot, other)
        direction = directions(gradient.flatten(1))
        part = {
            "snapshot": row.snapshot,
            "tau": row.tau,
            "ln_risk": row.ln_risk,
            "example": np.arange(len(gradient)),
            "norm": gradient.flatten(1).norm(dim=1).cpu().numpy() * exp(trajectory.ln_scale(row.norm)),
            "moved": _angles(direction, previous),
            "over_two": _angles(direction, before),
            "to_last": _angles(direction, last),
        }
        pictures = [_picture(each) for each in gradient[:PICTURED]] if row.snapshot in pictured else []
        rest = [None] * (len(gradient) - len(pictures))
        parts.append(pd.DataFrame(part).astype(TYPES).assign(picture=pd.Series([*pictures, *rest], dtype=object)))
        before, previous = previous, direction
    return pd.concat(parts, ignore_index=True)


def gradients(margin_map: NetworkMap, weights: Tensor, other: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """∇_x p (n, …) of the map's images at weights (D,), and which column of the margins p is, (n,): `other`, or the
    smallest. The map's examples must not be coupled.
    """
    images = margin_map.images.double().detach().requires_grad_()
    p = margin_map.margins(weights.detach(), images, margin_map.labels)
    if other is None:
        other = p.detach().argmin(1)
    return torch.autograd.grad(p.gather(1, other[:, None]).sum(), images)[0], other


def _angles(first: Tensor, second: Tensor) -> np.ndarray:
    """Row by row, of unit vectors."""
    return arc((first - second).norm(dim=1).cpu().numpy())


def _picture(gradient: Tensor) -> np.ndarray | None:
    size = gradient.abs().amax(0)
    if float(size.max()) == 0:
        return None
    return (255 * size / size.max()).round().to(torch.uint8).flatten().cpu().numpy()
