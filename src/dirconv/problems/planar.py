r"""Planar data and a shallow ReLU network: what its prediction surface looks like early and late.

    f(x) = m^(−1/2) Σ_j a_j max(0, ⟨w_j, (x₁, x₂, 1)⟩),     a_j, w_j ~ N(0, 1) at the start, degree 2,

the constant coordinate being an input, so that f is homogeneous in its weights. Points are uniform in [−1, 1]²,
labelled by a random network of this kind with `teacher` neurons; the `removed` share with the smallest outputs is left
out. The surface is looked at on a grid, as a direction f/‖f‖ in the space of functions on it, at the kept points of
the flow, and compared with the maximum-margin predictor of the neural tangent kernel at infinite width, known exactly
(`dirconv.oracles.kernel`). Data depend on the seed alone, so that widths can be compared.

Tables besides `path` and `decomposition`: `surfaces` (a row a kept point: angle in radians between the network's
surface and its own at the start of the flow, where ℒ < ℓ(0) was reached; its own at the end; the kernel's), `grid`
(f/max|f| on the grid: the kernel's, at the start, at the end) and `points` (the data).

Source: Ji & Telgarsky 2020, Figure 1; docs/theorems.md says what was chosen here.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

import numpy as np

from dirconv.options import require_positive
from dirconv.oracles import kernel
from dirconv.problems import Followed
from dirconv.problems._options import Flowing

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

    from dirconv.problems._flows import Kept

TABLES = ("path", "decomposition", "surfaces", "grid", "points")
GRID = 61  # points a side


@dataclasses.dataclass(frozen=True, kw_only=True)
class Spec(Flowing):
    """Options of the problem."""

    name: Literal["planar"] = "planar"
    width: int = 512
    examples: int = 30
    teacher: int = 6
    removed: float = 0.3
    loss: Literal["exponential", "logistic"] = "exponential"

    __pydantic_config__ = {"extra": "forbid", "strict": True}

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self, "width", "examples", "teacher")
        if not 0 <= self.removed < 1:
            raise ValueError(f"removed: must be at least 0 and below 1, got {self.removed}")

    @property
    def degree(self) -> int:
        """L."""
        return 2

    @property
    def data(self) -> str:
        """In words."""
        return f"{self.examples} points in the plane, labelled by {self.teacher} ReLU neurons"


def lifted(points: np.ndarray) -> np.ndarray:
    """(x₁, x₂, 1)."""
    return np.c_[points, np.ones(len(points))]


def grid() -> np.ndarray:
    """Where surfaces are looked at, (GRID², 2)."""
    side = np.linspace(-1, 1, GRID)
    return np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)


def examples(spec: Spec, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, 2) and labels (n,)."""
    random = np.random.default_rng((seed, 0))
    while True:
        w, a = random.normal(size=(spec.teacher, 3)), random.normal(size=spec.teacher)
        points = random.uniform(-1, 1, size=(round(2 * spec.examples / (1 - spec.removed)), 2))
        output = np.maximum(lifted(points) @ w.T, 0) @ a
        chosen = np.flatnonzero(np.abs(output) > np.quantile(np.abs(output), spec.removed))[: spec.examples]
        y = np.sign(output[chosen])
        if abs(y.mean()) <= 0.5:
            return points[chosen], y


def follow(spec: Spec, seeds: list[int]) -> list[Followed]:
    """See `dirconv.problems`."""
    import torch

    from dirconv import losses
    from dirconv.margins.ensemble import EnsembleMap
    from dirconv.problems import _flows

    m = spec.width

    def network(flat: Tensor, x: Tensor) -> Tensor:
        return (x @ flat[: 3 * m].view(m, 3).T).clamp(min=0) @ flat[3 * m :] / m**0.5

    data = [examples(spec, seed) for seed in seeds]
    x = torch.from_numpy(np.stack([lifted(points) for points, _ in data]))
    y = torch.from_numpy(np.stack([labels for _, labels in data]))
    start = torch.from_numpy(np.stack([np.random.default_rng((seed, 1)).normal(size=4 * m) for seed in seeds]))
    loss = losses.get(spec.loss)
    maps = EnsembleMap(lambda flat, x, y: y * network(flat, x), (x, y), spec.degree)
    at = grid()
    lattice = torch.from_numpy(lifted(at))
    found = []
    for (points, labels), kept in zip(data, _flows.follow(maps, loss, start, spec), strict=True):
        values = np.stack([network(theta, lattice).numpy() for theta in kept.theta])
        best = kernel.max_margin(lifted(points), labels)
        reference = kernel.predict(lifted(points), labels, best.dual, lifted(at))
        tables = {
            "path": kept.path,
            "decomposition": _flows.decomposition(kept, loss),
            "surfaces": _surfaces(kept, values, reference, best.gap),
            "grid": _grid(at, {"kernel": reference, "start": values[0], "end": values[-1]}),
            "points": _points(points, labels),
        }
        found.append(Followed(tables, kept.stop))
    return found


def _surfaces(kept: Kept, values: np.ndarray, reference: np.ndarray, gap: float) -> pd.DataFrame:
    from dirconv.problems._flows import angle

    return kept.at.assign(
        to_start=[angle(one, values[0]) for one in values],
        to_end=[angle(one, values[-1]) for one in values],
        to_kernel=[angle(one, reference) for one in values],
        kernel_gap=gap,
    )


def _grid(at: np.ndarray, surfaces: dict[str, np.ndarray]) -> pd.DataFrame:
    import pandas as pd

    parts = [
        pd.DataFrame({"surface": name, "x": at[:, 0], "y": at[:, 1], "value": values / np.abs(values).max()})
        for name, values in surfaces.items()
    ]
    return pd.concat(parts, ignore_index=True)


def _points(points: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({"x": points[:, 0], "y": points[:, 1], "label": labels.astype(int)})
