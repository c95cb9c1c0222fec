r"""One network and one start under several losses: to which direction does each flow tend?

Every flow starts at the same initial weights and follows its own loss to ℒ < ℓ(0), and from there to the same τ.
`cubic` is ℓ(z) = e^(−z³), `polynomial` has the tail z^(−2); for two classes cross-entropy is the logistic loss of the
outputs' difference. Directions are compared as weights and as functions, the latter as vectors of the outputs at all
images: weights may differ by a symmetry of the network where functions do not.

Table besides `path` (that of the exponential loss): `losses`, a row a loss and kept point: angle of the weights and of
the function to those of the exponential loss at the same τ (`angle`, `function_angle`) and at its end (`to_end`,
`function_to_end`), how far the function is from this loss's own end (`function_to_own_end`), the normalized margin of
f, and for a linear network the angle `to_best` of its product to the maximum-margin direction, known exactly.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from dirconv.geometry import angle, angles
from dirconv.losses import LN_AT_ZERO
from dirconv.options import configurable
from dirconv.problems import Followed, _dense

if TYPE_CHECKING:
    import pandas as pd

    from dirconv.problems._flows import Kept

NUMERICS = 2
GOES_THROUGH = ("geometry", "hard_margin", "small_flows", "small_networks")
TABLES = ("path", "losses")
FIRST = "exponential"  # the others are compared with it


@configurable
class Spec(_dense.Network):
    """Options of the problem."""

    name: Literal["dense_losses"] = "dense_losses"
    loss: ClassVar[str] = FIRST  # of the table `path`
    losses: list[_dense.LossName] = dataclasses.field(
        default_factory=lambda: [FIRST, "logistic", "cubic", "polynomial"]
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if FIRST not in self.losses or len(set(self.losses)) < len(self.losses):
            raise ValueError(f"losses: must hold {FIRST} and every loss once, got {self.losses}")


def follow(spec: Spec, seeds: list[int]) -> list[Followed]:
    """See `dirconv.problems`."""
    import pandas as pd

    from dirconv.problems import _flows

    images, starts = _dense.images(spec, seeds), _dense.start(spec, seeds)
    followed = []
    for i, start in enumerate(starts):
        data = images.of(i)
        runs = {loss: _flows.follow(*_dense.margin_map(spec, data, loss), start, spec) for loss in spec.losses}
        parts = [_compared(spec, loss, kept, runs[FIRST], data) for loss, kept in runs.items()]
        followed.append(runs[FIRST].followed(losses=pd.concat(parts, ignore_index=True)))
    return followed


def _compared(spec: Spec, loss: str, kept: Kept, first: Kept, data: _dense.Data) -> pd.DataFrame:
    import torch

    everything = torch.cat([data.x, data.x_test])
    outputs, first_outputs = (
        [_dense.output(spec, theta, everything).numpy() for theta in run.theta] for run in (kept, first)
    )
    at_same = {round(tau, 9): j for j, tau in enumerate(first.at["tau"])}
    same = [at_same.get(round(tau, 9)) for tau in kept.at["tau"]]
    theta, first_theta = kept.theta.numpy(), first.theta.numpy()
    to_best = [math.nan] * len(theta)
    if spec.activation == "linear":
        from dirconv.oracles import hard_margin

        best = hard_margin.solve((data.y[:, None] * data.x).numpy()).predictor  # the product's direction, (64,)
        to_best = angles([_dense.product(spec.shapes, flat) for flat in kept.theta], best)

    def to_same(vectors: Sequence[np.ndarray], others: Sequence[np.ndarray]) -> list[float]:
        return [math.nan if j is None else angle(v, others[j]) for v, j in zip(vectors, same, strict=True)]

    return kept.at.assign(
        loss=loss,
        below=kept.at["ln_risk"] < LN_AT_ZERO[loss],
        angle=to_same(theta, first_theta),
        to_end=angles(theta, first_theta[-1]),
        function_angle=to_same(outputs, first_outputs),
        function_to_end=angles(outputs, first_outputs[-1]),
        function_to_own_end=angles(outputs, outputs[-1]),
        margin=[float((data.y * _dense.output(spec, flat, data.x)).min()) for flat in kept.theta],
        to_best=to_best,
    )
