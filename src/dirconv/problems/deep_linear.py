r"""Deep linear networks f(x) = W_L ⋯ W₁ x on data that a linear function separates.

The flow makes every layer of rank one, neighbouring layers share a singular vector, and the product goes to the
direction of maximum margin, known exactly from a quadratic program (`dirconv.oracles.hard_margin`). Data: standard
normal x labelled by a random direction, those closer than `gap` to its hyperplane left out.

Tables besides `path` and `decomposition`: `limit` (a row a kept point: the product's angle to the maximum-margin
direction, its margin, both bounds of the optimum) and `factors` (a row a kept point and layer: σ₂/σ₁, and the angle
between its first left singular vector and the next layer's first right one).

Source: Ji & Telgarsky 2019 (deep linear networks); Ji & Telgarsky 2020, Section 4, for homogeneous ones.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

import numpy as np

from dirconv.options import require_positive
from dirconv.oracles import Margin, hard_margin
from dirconv.problems import Followed
from dirconv.problems._options import Flowing

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

    from dirconv.problems._flows import Kept

TABLES = ("path", "decomposition", "limit", "factors")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Spec(Flowing):
    """Options of the problem."""

    name: Literal["deep_linear"] = "deep_linear"
    depth: int = 3  # L
    width: int = 8
    dimension: int = 5
    examples: int = 30
    gap: float = 0.2
    loss: Literal["exponential", "logistic", "polynomial"] = "exponential"

    __pydantic_config__ = {"extra": "forbid", "strict": True}

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self, "depth", "width", "dimension", "examples", "gap")

    @property
    def degree(self) -> int:
        """L."""
        return self.depth

    @property
    def data(self) -> str:
        """In words."""
        return f"{self.examples} standard normal points in {self.dimension} dimensions, linearly separable"

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Of the layers, the first first."""
        sizes = [self.dimension, *[self.width] * (self.depth - 1), 1]
        return [(sizes[k + 1], sizes[k]) for k in range(self.depth)]


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


def layers(flat: Tensor, shapes: list[tuple[int, int]]) -> list[Tensor]:
    """W₁, …, W_L of the flat vector (D,)."""
    parts = flat.split([rows * columns for rows, columns in shapes])
    return [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]


def follow(spec: Spec, seeds: list[int]) -> list[Followed]:
    """See `dirconv.problems`."""
    import torch

    from dirconv import losses
    from dirconv.margins.ensemble import EnsembleMap
    from dirconv.problems import _flows

    def function(flat: Tensor, z: Tensor) -> Tensor:
        out = z
        for layer in layers(flat, spec.shapes):
            out = out @ layer.T
        return out[:, 0]

    data = np.stack([examples(spec, seed) for seed in seeds])
    start = np.stack([np.concatenate([m.ravel() for m in _flows.normal(seed, *spec.shapes)]) for seed in seeds])
    loss = losses.get(spec.loss)
    maps = EnsembleMap(function, (torch.from_numpy(data),), spec.degree)
    found = []
    for z, kept in zip(data, _flows.follow(maps, loss, torch.from_numpy(start), spec), strict=True):
        tables = {
            "path": kept.path,
            "decomposition": _flows.decomposition(kept, loss),
            "limit": _limit(spec, kept, z, hard_margin.solve(z)),
            "factors": _factors(spec, kept),
        }
        found.append(Followed(tables, kept.stop))
    return found


def _limit(spec: Spec, kept: Kept, z: np.ndarray, best: Margin) -> pd.DataFrame:
    import torch

    from dirconv.problems._flows import angle

    rows = []
    for theta in kept.theta:
        product = torch.linalg.multi_dot([*reversed(layers(theta, spec.shapes))]) if spec.depth > 1 else theta[None]
        w = product.numpy().ravel()
        margin = float((z @ w).min() / np.linalg.norm(w))
        rows.append({"angle": angle(w, best.predictor), "margin": margin})
    return kept.at.assign(**{name: [row[name] for row in rows] for name in rows[0]}, lower=best.lower, upper=best.upper)


def _factors(spec: Spec, kept: Kept) -> pd.DataFrame:
    import pandas as pd
    import torch

    from dirconv.problems._flows import angle

    rows = []
    for at, theta in zip(kept.at.to_dict("records"), kept.theta, strict=True):
        pieces = [torch.linalg.svd(layer, full_matrices=False) for layer in layers(theta, spec.shapes)]
        for k, (_, sigma, _) in enumerate(pieces):
            after = pieces[k + 1].Vh[0] if k + 1 < len(pieces) else None
            left = pieces[k].U[:, 0]
            turned = None
            if after is not None:
                turned = angle((left * torch.sign(left @ after)).numpy(), after.numpy())
            ratio = float(sigma[1] / sigma[0]) if len(sigma) > 1 else 0.0
            rows.append({**at, "layer": k + 1, "ratio": ratio, "neighbour": turned})
    return pd.DataFrame(rows)
