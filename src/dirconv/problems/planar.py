r"""Planar data and a shallow ReLU network: its prediction surface early and late.

    f(x) = m^(−1/2) Σ_j a_j max(0, ⟨w_j, (x₁, x₂, 1)⟩),     a_j, w_j ~ N(0, 1) at the start, degree 2,

the constant 1 being an input, so that f is homogeneous in its weights. Points are uniform in [−1, 1]², labelled by a
random network of this kind with `teacher` neurons; the share `removed` with the smallest outputs is left out. The
surface is f on a grid, compared by its direction f/‖f‖: with itself at other kept points, and with the maximum-margin
predictor of the neural tangent kernel at infinite width, known exactly (`dirconv.oracles.kernel`). Data depend on the
seed alone, so that widths can be compared.

Tables besides `path` and `decomposition`:

`surfaces`  a row a kept point: angles in radians of the surface to the one at the start of the flow, where ℒ < ℓ(0)
            was reached, to the one at the end, and to the kernel's
`grid`      f/max|f| on the grid: of the kernel, at the start, at the end
`points`    the data

Source: Ji & Telgarsky 2020, Figure 1; docs/theorems.md says what was chosen here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from dirconv.geometry import angles
from dirconv.options import configurable, require_positive
from dirconv.oracles import kernel
from dirconv.problems import Followed
from dirconv.problems._options import Flowing

if TYPE_CHECKING:
    from torch import Tensor

NUMERICS = 2
GOES_THROUGH = ("geometry", "kernel", "small_flows")
TABLES = ("path", "decomposition", "surfaces", "grid", "points")
GRID = 61  # points on a side


@configurable
class Spec(Flowing):
    """Options of the problem."""

    name: Literal["planar"] = "planar"
    width: int = 512
    examples: int = 30
    teacher: int = 6
    removed: float = 0.3
    degree: ClassVar[int] = 2  # L
    loss: Literal["exponential", "logistic"] = "exponential"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self, "width", "examples", "teacher")
        if not 0 <= self.removed < 1:
            raise ValueError(f"removed: must be at least 0 and below 1, got {self.removed}")

    @property
    def data(self) -> str:
        return f"{self.examples} points in the plane, labelled by {self.teacher} ReLU neurons"


def lifted(points: np.ndarray) -> np.ndarray:
    """(x₁, x₂, 1)."""
    return np.c_[points, np.ones(len(points))]


def grid() -> np.ndarray:
    """The points at which surfaces are compared, (GRID², 2)."""
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
        if abs(y.mean()) <= 0.5:  # at least a quarter of either label
            return points[chosen], y


def follow(spec: Spec, seeds: list[int]) -> list[Followed]:
    """See `dirconv.problems`."""
    import torch

    from dirconv.problems import _flows

    m = spec.width

    def network(flat: Tensor, x: Tensor) -> Tensor:
        return (x @ flat[: 3 * m].view(m, 3).T).clamp(min=0) @ flat[3 * m :] / m**0.5

    def margins(flat: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return (y * network(flat, x))[:, None]

    drawn = [examples(spec, seed) for seed in seeds]
    data = [(lifted(points), labels) for points, labels in drawn]
    starts = [np.random.default_rng((seed, 1)).normal(size=4 * m) for seed in seeds]
    at = grid()
    lattice = lifted(at)
    followed = []
    for (points, labels), kept in zip(drawn, _flows.run(spec, margins, data, starts), strict=True):
        values = np.stack([network(theta, torch.from_numpy(lattice)).numpy() for theta in kept.theta])
        best = kernel.max_margin(lifted(points), labels)
        reference = kernel.predict(lifted(points), labels, best.dual, lattice)
        shown = {"kernel": reference, "start": values[0], "end": values[-1]}
        followed.append(
            kept.followed(
                decomposition=kept.decomposition(),
                surfaces=kept.at.assign(
                    **kept.to_ends(values), to_kernel=angles(values, reference), kernel_gap=best.gap
                ),
                grid={
                    "surface": np.repeat(list(shown), len(at)),
                    "x": np.tile(at[:, 0], len(shown)),
                    "y": np.tile(at[:, 1], len(shown)),
                    "value": np.concatenate([f / np.abs(f).max() for f in shown.values()]),
                },
                points={"x": points[:, 0], "y": points[:, 1], "label": labels.astype(int)},
            )
        )
    return followed
