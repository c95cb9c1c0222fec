r"""Two-layer squared-ReLU networks in two or three dimensions, whose global maximum margin is a convex problem's.

    fixed signs (degree 2)      f(x) = Σ_j s_j max(0, ⟨w_j, x⟩)²,      s_j = (−1)^j
    trained outputs (degree 3)  f(x) = Σ_j a_j max(0, ⟨w_j, x⟩)²

With fixed signs the normalized margin is that of a signed measure of total variation one with mass ‖w_j‖²/‖W‖² at
w_j/‖w_j‖, and the best measure is known (`dirconv.oracles.signed_measure`). A start whose neurons of both signs cover
the sphere (`start: cover`, evenly spread and turned at random) should reach it. `start: random` draws directions, and
may miss it where they are few.

With trained outputs c_j = a_j ‖w_j‖² costs 3 · 2^(−2/3) |c_j|^(2/3) of ‖W‖², a 2/3-quasi-norm: nothing convex
certifies the limit. Σ|c_j| ≤ 2/(3√3) ‖W‖³ bounds the normalized margin by 2γ*/(3√3), attained only by one neuron.

Data: x standard normal, labelled by a random squared-ReLU network of `teacher` neurons; the third with the lowest
|f|/‖x‖² is left out.

Tables besides `path` and `decomposition`:

`limit`    a row a kept point: normalized margin; `ratio` to its bound; `function_ratio`, the function's margin per
           total variation over γ*; both bounds of γ*
`neurons`  at the first, middle and last kept point: direction and signed mass of each neuron
`atoms`    of the best measure

Source: Ji & Telgarsky 2020, Section 4; Chizat & Bach 2020 for the measure.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np

from dirconv.options import configurable, require_positive
from dirconv.oracles import Margin, signed_measure
from dirconv.problems import Followed
from dirconv.problems._options import Flowing

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

    from dirconv.problems._flows import Kept

NUMERICS = 2
GOES_THROUGH = ("signed_measure", "small_flows")
TABLES = ("path", "decomposition", "limit", "neurons", "atoms")
AXES = ("x", "y", "z")


@configurable
class Spec(Flowing):
    """Options of the problem."""

    name: Literal["squared_relu"] = "squared_relu"
    dimension: Literal[2, 3] = 2
    neurons: int = 64
    start: Literal["cover", "random"] = "cover"
    trained: bool = False  # the output weights too
    examples: int = 16
    teacher: int = 4  # neurons that label the data
    loss: Literal["exponential", "logistic"] = "exponential"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self, "neurons", "examples", "teacher")
        if self.neurons % 2:
            raise ValueError(f"neurons: must be even, half of either sign, got {self.neurons}")

    @property
    def degree(self) -> int:
        return 3 if self.trained else 2

    @property
    def data(self) -> str:
        return f"{self.examples} points in {self.dimension} dimensions, labelled by {self.teacher} squared-ReLU neurons"


def examples(spec: Spec, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """x (n, d), y (n,)."""
    random = np.random.default_rng((seed, 0))
    while True:
        w = random.normal(size=(spec.teacher, spec.dimension))
        a = np.where(np.arange(spec.teacher) % 2 == 0, 1.0, -1.0)
        x = random.normal(size=(3 * spec.examples, spec.dimension))
        output = np.maximum(x @ w.T, 0) ** 2 @ a
        size = np.abs(output) / (x**2).sum(1)
        chosen = np.flatnonzero(size >= max(np.quantile(size, 1 / 3), 1e-3))[: spec.examples]
        y = np.sign(output[chosen])
        if len(chosen) == spec.examples and abs(y.mean()) <= 0.5:  # at least a quarter of either label
            return x[chosen], y


def signs(spec: Spec) -> np.ndarray:
    """s_j, (m,)."""
    return np.where(np.arange(spec.neurons) % 2 == 0, 1.0, -1.0)


def start(spec: Spec, seed: int) -> np.ndarray:
    """The flat weights: w (m, d), and the output weights a (m,) where they are trained."""
    random = np.random.default_rng((seed, 1))
    m, d = spec.neurons, spec.dimension
    if spec.start == "cover":
        half = _even(m // 2, d)
        w = np.empty((m, d))
        w[0::2], w[1::2] = half @ _rotation(random, d), half @ _rotation(random, d)
    else:
        w = random.normal(size=(m, d))
        w /= np.linalg.norm(w, axis=1, keepdims=True)
    w = w / math.sqrt(m)
    return np.concatenate([w.ravel(), signs(spec) / math.sqrt(2 * m)]) if spec.trained else w.ravel()


def _even(count: int, dimension: int) -> np.ndarray:
    """Unit vectors spread evenly: on the circle, or along a Fibonacci spiral on the sphere."""
    i = np.arange(count)
    if dimension == 2:
        angle = 2 * np.pi * i / count
        return np.stack([np.cos(angle), np.sin(angle)], 1)
    z = 1 - (2 * i + 1) / count
    angle = np.pi * (1 + math.sqrt(5)) * i
    return np.stack([np.sqrt(1 - z**2) * np.cos(angle), np.sqrt(1 - z**2) * np.sin(angle), z], 1)


def _rotation(random: np.random.Generator, dimension: int) -> np.ndarray:
    q, r = np.linalg.qr(random.normal(size=(dimension, dimension)))
    return q * np.sign(np.diag(r))


def follow(spec: Spec, seeds: list[int]) -> list[Followed]:
    """See `dirconv.problems`."""
    import torch

    from dirconv.problems import _flows

    m, d = spec.neurons, spec.dimension
    fixed = torch.from_numpy(signs(spec))

    def margins(flat: Tensor, x: Tensor, y: Tensor) -> Tensor:
        hidden = (x @ flat[: m * d].view(m, d).T).clamp(min=0).square()
        return (y * (hidden @ (flat[m * d :] if spec.trained else fixed)))[:, None]

    data = [examples(spec, seed) for seed in seeds]
    followed = []
    runs = _flows.run(spec, margins, data, [start(spec, seed) for seed in seeds])
    for (x, y), kept in zip(data, runs, strict=True):
        best = signed_measure.solve(x, y)
        followed.append(
            kept.followed(
                decomposition=kept.decomposition(),
                limit=_limit(spec, kept, x, y, best),
                neurons=_neurons(spec, kept),
                atoms=dict(zip([*AXES[: spec.dimension], "mass"], best.predictor.T, strict=True)),
            )
        )
    return followed


def _masses(spec: Spec, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Directions (m, d) and signed strengths c_j of f = Σ c_j max(0, ⟨ŵ_j, x⟩)², at unit norm of the weights."""
    m, d = spec.neurons, spec.dimension
    w = theta[: m * d].reshape(m, d)
    size = np.linalg.norm(w, axis=1)
    outputs = theta[m * d :] if spec.trained else signs(spec)
    return w / np.maximum(size, 1e-300)[:, None], outputs * size**2


def _limit(spec: Spec, kept: Kept, x: np.ndarray, y: np.ndarray, best: Margin) -> pd.DataFrame:
    bound = best.upper * (2 / (3 * math.sqrt(3)) if spec.trained else 1.0)
    masses = [_masses(spec, theta) for theta in kept.theta.numpy()]
    margin = np.array([(y * (c @ signed_measure.features(w, x))).min() for w, c in masses])
    of_function = margin / [np.abs(c).sum() for _, c in masses] / best.upper
    certified = {"lower": best.lower, "upper": best.upper, "bound": bound}
    return kept.at.assign(margin=margin, ratio=margin / bound, function_ratio=of_function, **certified)


def _neurons(spec: Spec, kept: Kept) -> pd.DataFrame:
    import pandas as pd

    parts = []
    last = len(kept.at) - 1
    for snapshot in sorted({0, last // 2, last}):
        w, c = _masses(spec, kept.theta[snapshot].numpy())
        part = pd.DataFrame(w, columns=AXES[: spec.dimension]).assign(mass=c / np.abs(c).sum())
        parts.append(part.assign(snapshot=snapshot, tau=kept.at["tau"].iloc[snapshot], neuron=np.arange(len(w))))
    return pd.concat(parts, ignore_index=True)
