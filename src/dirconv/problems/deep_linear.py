r"""Deep linear networks f(x) = W_L ⋯ W₁ x on linearly separable data.

Along the flow every layer becomes of rank one, neighbouring layers come to share a singular vector, and the product
tends to the direction of maximum margin, known exactly from a quadratic program (`dirconv.oracles.hard_margin`). Data:
standard normal x, labelled by a random direction; points closer than `gap` to its hyperplane are left out.

Tables besides `path` and `decomposition`:

`limit`    a row a kept point: angle of the product to the maximum-margin direction, its margin, bounds of the optimum
`factors`  a row a kept point and layer: σ₂/σ₁, and the angle between the layer's first left singular vector and the
           next layer's first right one

Source: Ji & Telgarsky 2019 (deep linear networks); Ji & Telgarsky 2020, Section 4, for homogeneous ones.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dirconv.geometry import angle
from dirconv.options import configurable, require_positive
from dirconv.oracles import hard_margin
from dirconv.problems import Followed, _dense
from dirconv.problems._options import Flowing

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

    from dirconv.problems._flows import Kept

NUMERICS = 2
GOES_THROUGH = ("geometry", "hard_margin", "small_flows", "small_networks")
TABLES = ("path", "decomposition", "limit", "factors")


@configurable
class Spec(Flowing):
    """Options of the problem."""

    name: Literal["deep_linear"] = "deep_linear"
    depth: int = 3  # L
    width: int = 8
    dimension: int = 5
    examples: int = 30
    gap: float = 0.2
    loss: Literal["exponential", "logistic", "polynomial"] = "exponential"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self, "depth", "width", "dimension", "examples", "gap")

    @property
    def degree(self) -> int:
        return self.depth

    @property
    def data(self) -> str:
        return f"{self.examples} standard normal points in {self.dimension} dimensions, linearly separable"

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Of W₁, …, W_L."""
        return _dense.shapes([self.dimension, *[self.width] * (self.depth - 1), 1])


def examples(spec: Spec, seed: int) -> np.ndarray:
    """z_i = y_i x_i, (n, d)."""
    random = np.random.default_rng((seed, 0))
    teacher = random.normal(size=spec.dimension)
    teacher /= np.linalg.norm(teacher)
    kept: list[np.ndarray] = []
    while len(kept) < spec.examples:
        x = random.normal(size=spec.dimension)
        if abs(x @ teacher) > spec.gap:
            kept.append(x * np.sign(x @ teacher))
    return np.stack(kept)


def start(spec: Spec, seed: int) -> np.ndarray:
    """Initial weights (D,): independent N(0, 1/fan-in) entries."""
    random = np.random.default_rng((seed, 1))
    return np.concatenate([(random.normal(size=shape) / math.sqrt(shape[1])).ravel() for shape in spec.shapes])


def follow(spec: Spec, seeds: list[int]) -> list[Followed]:
    """See `dirconv.problems`."""
    from dirconv.problems import _flows

    def margins(flat: Tensor, z: Tensor) -> Tensor:
        out = z
        for layer in _dense.layers(spec.shapes, flat):
            out = out @ layer.T
        return out

    data = [(examples(spec, seed),) for seed in seeds]
    runs = _flows.run(spec, margins, data, [start(spec, seed) for seed in seeds])
    return [
        kept.followed(decomposition=kept.decomposition(), limit=_limit(spec, kept, z), factors=_factors(spec, kept))
        for (z,), kept in zip(data, runs, strict=True)
    ]


def _limit(spec: Spec, kept: Kept, z: np.ndarray) -> pd.DataFrame:
    best = hard_margin.solve(z)
    products = [_dense.product(spec.shapes, theta) for theta in kept.theta]
    return kept.at.assign(
        angle=[angle(w, best.predictor) for w in products],
        margin=[float((z @ w).min() / np.linalg.norm(w)) for w in products],
        lower=best.lower,
        upper=best.upper,
    )


def _factors(spec: Spec, kept: Kept) -> list[dict[str, Any]]:
    import torch

    rows = []
    for at, theta in zip(kept.at.to_dict("records"), kept.theta, strict=True):
        pieces = [torch.linalg.svd(layer, full_matrices=False) for layer in _dense.layers(spec.shapes, theta)]
        for k, (left, sigma, _) in enumerate(pieces):
            neighbour = None
            if k + 1 < len(pieces):
                u, v = left[:, 0], pieces[k + 1].Vh[0]
                neighbour = angle((u * torch.sign(u @ v)).numpy(), v.numpy())
            ratio = float(sigma[1] / sigma[0]) if len(sigma) > 1 else 0.0
            rows.append({**at, "layer": k + 1, "ratio": ratio, "neighbour": neighbour})
    return rows
