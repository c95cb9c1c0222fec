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
from typing import TYPE_CHECKING, Literal

import numpy as np

from dirconv.geometry import angle
from dirconv.losses import LN_AT_ZERO
from dirconv.options import configurable
from dirconv.problems import Followed, _dense

if TYPE_CHECKING:
    import pandas as pd

    from dirconv.problems._flows import Kept

NUMERICS = 1
GOES_THROUGH = ("geometry", "hard_margin", "small_flows", "small_networks")
TABLES = ("path", "losses")
FIRST = "exponential"  # the others are compared with it


@configurable
class Spec(_dense.Network):
    """Options of the problem."""

    name: Literal["dense_losses"] = "dense_losses"
    losses: list[_dense.LossName] = dataclasses.field(
        default_factory=lambda: [FIRST, "logistic", "cubic", "polynomial"]
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if FIRST not in self.losses or len(set(self.losses)) < len(self.losses):
            raise ValueError(f"losses: must hold {FIRST} and every loss once, got {self.losses}")

    @property
    def degree(self) -> int:
        """L, of f."""
        return self.network_degree

    @property
    def loss(self) -> str:
        """That of the table `path`."""
        return FIRST


def follow(spec: Spec, seeds: list[int]) -> list[Followed]:
    """See `dirconv.problems`."""
    import pandas as pd

    from dirconv.problems import _flows

    data = _dense.images(spec, seeds)
    start = _dense.start(spec, seeds)
    runs = {loss: _flows.follow(*_dense.margin_map(spec, data, loss), start, spec) for loss in spec.losses}
    followed = []
    for i, first in enumerate(runs[FIRST]):
        parts = [_compared(spec, loss, kept[i], first, data.of(i)) for loss, kept in runs.items()]
        followed.append(first.followed(losses=pd.concat(parts, ignore_index=True)))
    return followed


def _compared(spec: Spec, loss: str, kept: Kept, first: Kept, data: _dense.Data) -> pd.DataFrame:
    import torch

    everything = torch.cat([data.x, data.x_test])

    def functions(run: Kept) -> list[np.ndarray]:
        return [_dense.output(spec, theta, everything).numpy() for theta in run.theta]

    outputs, first_outputs = functions(kept), functions(first)
    at_same = {round(tau, 9): j for j, tau in enumerate(first.at["tau"])}
    best = _best(spec, data)
    rows = []
    for j, theta in enumerate(kept.theta):
        w, tau = theta.numpy(), round(kept.at["tau"].iloc[j], 9)
        same = at_same.get(tau)
        margins = data.y * _dense.output(spec, theta, data.x)
        rows.append(
            {
                "loss": loss,
                "below": bool(kept.at["ln_risk"].iloc[j] < LN_AT_ZERO[loss]),
                "angle": math.nan if same is None else angle(w, first.theta[same].numpy()),
                "to_end": angle(w, first.theta[-1].numpy()),
                "function_angle": math.nan if same is None else angle(outputs[j], first_outputs[same]),
                "function_to_end": angle(outputs[j], first_outputs[-1]),
                "function_to_own_end": angle(outputs[j], outputs[-1]),
                "margin": float(margins.min()),
                "to_best": math.nan if best is None else angle(_dense.product(spec.shapes, theta), best),
            }
        )
    return kept.at.assign(**{name: [row[name] for row in rows] for name in rows[0]})


def _best(spec: Spec, data: _dense.Data) -> np.ndarray | None:
    """The maximum-margin direction of a linear network's product, (64,); None for other networks."""
    if spec.activation != "linear":
        return None
    from dirconv.oracles import hard_margin

    return hard_margin.solve((data.y[:, None] * data.x).numpy()).predictor
