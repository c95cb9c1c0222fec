r"""Fully connected networks on handwritten digits: options, data, function, start.

    f(x) = W_k σ(W_{k−1} σ(⋯ σ(W₁ x))),     p_i = y_i f(x_i), or y_i f(x_i)³ for the loss `cubic`

============  ======================================================  ==========================
activation    σ of the vector h of a layer's inputs                   smooth
============  ======================================================  ==========================
linear        h                                                       analytic
relu          max(0, h)                                               no
leaky_relu    max(h/10, h)                                            no
soft_relu     (h + √(h² + ε² mean_j h_j²))/2, ε = 0.5                 analytic where h ≠ 0
squared_relu  max(0, h)²                                              once, gradients Lipschitz
============  ======================================================  ==========================

All but the last are of degree one, so that the network's degree is its number of layers. `soft_relu` rounds ReLU's kink
over a width that scales with the layer, since a fixed width would not be homogeneous. The loss e^(−z³) of margins p is
the exponential loss of margins p³, a map of three times the degree; ℓ(0) = 1 for both.

Images have 64 pixels, standardized by the mean and the standard deviation over all pixels of a seed's training images.
Every seed draws its own training images and its own start; all have the same held-out images.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import TYPE_CHECKING, Literal

import numpy as np

from dirconv.options import require_positive
from dirconv.problems._options import Flowing

if TYPE_CHECKING:
    from torch import Tensor

    from dirconv.losses import Loss
    from dirconv.margins.function import FunctionMap

NUMERICS = 1
GOES_THROUGH = ("data.digits", "function_map", "losses", "split")
PIXELS = 64
LEAK = 0.1
SOFTNESS = 0.5  # ε
HELD_OUT = 0.2  # share of each digit's images
LossName = Literal["exponential", "logistic", "cubic", "polynomial"]
DEGREES = {"squared_relu": 2}  # of activations; the others have degree one


@dataclasses.dataclass(frozen=True, kw_only=True)
class Network(Flowing):
    """Options of every problem on such a network."""

    layers: int = 2
    width: int = 32  # of each hidden layer
    activation: Literal["linear", "relu", "leaky_relu", "soft_relu", "squared_relu"] = "relu"
    positive: list[int] = dataclasses.field(default_factory=lambda: [1, 3, 5, 7, 9])  # digits labelled +1
    negative: list[int] = dataclasses.field(default_factory=lambda: [0, 2, 4, 6, 8])  # and −1
    examples: int = 60
    scale: float = 1.0  # factor on He's initial weights
    flipped: float = 0.0  # share of the training labels that are wrong
    conflicting: int = 0  # training images that occur twice, once with each label

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self, "layers", "width", "examples", "scale")
        if not 0 <= self.flipped < 1:
            raise ValueError(f"flipped: must be at least 0 and below 1, got {self.flipped}")
        if not 0 <= 2 * self.conflicting <= self.examples:
            raise ValueError(f"conflicting: must be from 0 to half of the examples, got {self.conflicting}")
        for side, digits in (("positive", self.positive), ("negative", self.negative)):
            if not digits or not set(digits) <= set(range(10)):
                raise ValueError(f"{side}: must name digits from 0 to 9, at least one, got {digits}")
        if twice := sorted(set(self.positive) & set(self.negative)):
            raise ValueError(f"negative: {twice[0]} is among the positive digits too; name every digit once")

    @property
    def network_degree(self) -> int:
        """Of f in its weights."""
        degree = 1
        for _ in range(self.layers - 1):
            degree = DEGREES.get(self.activation, 1) * degree + 1
        return degree

    @property
    def degree(self) -> int:
        """L of the margins that enter the problem's loss."""
        return degree(self, self.loss)

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Of W₁, …, W_k."""
        return shapes([PIXELS, *[self.width] * (self.layers - 1), 1])

    @property
    def data(self) -> str:
        sides = ("".join(map(str, digits)) for digits in (self.positive, self.negative))
        text = f"{self.examples} handwritten digits, {' against '.join(sides)}"
        if self.flipped:
            text += f", {self.flipped:.0%} of the labels wrong"
        if self.conflicting:
            text += f", {self.conflicting} images with either label"
        return text


@dataclasses.dataclass(frozen=True)
class Data:
    """Training and test data of S seeds, float64: images (S, n, 64), labels (S, n) of ±1."""

    x: Tensor
    y: Tensor
    x_test: Tensor
    y_test: Tensor

    def of(self, i: int) -> Data:
        """The i-th seed's: images (n, 64), labels (n,)."""
        return Data(*(getattr(self, field.name)[i] for field in dataclasses.fields(self)))


def degree(spec: Network, loss: str) -> int:
    """L of the margins that enter the loss."""
    return spec.network_degree * (3 if loss == "cubic" else 1)


def images(spec: Network, seeds: list[int]) -> Data:
    """The seeds' images. UserError if more are asked for than there are."""
    import torch

    from dirconv.data import digits
    from dirconv.errors import UserError

    positive, negative = ([str(digit) for digit in side] for side in (spec.positive, spec.negative))
    classes = {"positive": positive, "negative": negative}
    source = digits.load(digits.Spec(classes=classes, test_fraction=HELD_OUT), "problem")

    def pool(part) -> tuple[np.ndarray, np.ndarray]:
        chosen = np.isin(part.classes, [*positive, *negative])
        labels = np.where(np.isin(part.classes[chosen], positive), 1.0, -1.0)
        return part.images[chosen].reshape(-1, PIXELS) / source.levels, labels

    x, y = pool(source.train)
    x_test, y_test = pool(source.test)
    if spec.examples > len(x):
        raise UserError(f"problem.examples: {spec.examples} images asked for, the digits have {len(x)}; lower it")
    parts = []
    for seed in seeds:
        random = np.random.default_rng((seed, 0))
        drawn = random.permutation(len(x))[: spec.examples]
        x_train, y_train = x[drawn], y[drawn].copy()
        y_train[random.permutation(spec.examples)[: round(spec.flipped * spec.examples)]] *= -1
        if spec.conflicting:
            x_train[: spec.conflicting] = x_train[-spec.conflicting :]
            y_train[: spec.conflicting] = -y_train[-spec.conflicting :]
        mean, std = x_train.mean(), x_train.std()
        parts.append(((x_train - mean) / std, y_train, (x_test - mean) / std, y_test))
    return Data(*(torch.from_numpy(np.stack(part)) for part in zip(*parts, strict=True)))


def start(spec: Network, seeds: list[int]) -> Tensor:
    """Initial weights (S, D): independent N(0, 2/fan-in) entries (He), times the scale."""
    import torch

    rows = []
    for seed in seeds:
        random = np.random.default_rng((seed, 1))
        rows.append([random.normal(size=s).ravel() * spec.scale * math.sqrt(2 / s[1]) for s in spec.shapes])
    return torch.from_numpy(np.stack([np.concatenate(row) for row in rows]))


def shapes(sizes: list[int]) -> list[tuple[int, int]]:
    """Shapes of W₁, …, W_k, from the sizes of the input, the hidden layers and the output."""
    return [(rows, columns) for columns, rows in itertools.pairwise(sizes)]


def layers(shapes: list[tuple[int, int]], flat: Tensor) -> list[Tensor]:
    """W₁, …, W_k of flat weights (D,)."""
    parts = flat.split([rows * columns for rows, columns in shapes])
    return [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]


def product(shapes: list[tuple[int, int]], flat: Tensor) -> np.ndarray:
    """W_k ⋯ W₁ of a linear network with one output, a vector of the input's size."""
    import torch

    parts = layers(shapes, flat)
    return (torch.linalg.multi_dot(parts[::-1]) if len(parts) > 1 else parts[0]).numpy().ravel()


def activate(name: str, h: Tensor) -> Tensor:
    """σ of a layer's inputs h (…, width)."""
    match name:
        case "linear":
            return h
        case "leaky_relu":
            return h.clamp(min=0) + LEAK * h.clamp(max=0)
        case "soft_relu":
            return (h + (h.square() + SOFTNESS**2 * h.square().mean(-1, keepdim=True)).sqrt()) / 2
    return h.clamp(min=0) if name == "relu" else h.clamp(min=0).square()


def hidden(spec: Network, flat: Tensor, x: Tensor) -> list[Tensor]:
    """The inputs of every hidden layer's activation, each (n, width), followed by the output (n, 1)."""
    values, out = [], x
    for i, layer in enumerate(layers(spec.shapes, flat)):
        out = (activate(spec.activation, out) if i else out) @ layer.T
        values.append(out)
    return values


def output(spec: Network, flat: Tensor, x: Tensor) -> Tensor:
    """f(x), (n,)."""
    return hidden(spec, flat, x)[-1][:, 0]


def margin_map(spec: Network, data: Data, loss: str) -> tuple[FunctionMap, Loss]:
    """A seed's margin map, and the loss of its margins: `cubic` is the exponential loss of cubed margins.

    data: one seed's (`Data.of`).
    """
    from dirconv import losses
    from dirconv.margins.function import FunctionMap

    cubic = loss == "cubic"

    def function(flat: Tensor, x: Tensor, y: Tensor) -> Tensor:
        p = (y * output(spec, flat, x))[:, None]
        return p**3 if cubic else p

    found = FunctionMap(function, degree(spec, loss), (data.x, data.y))
    return found, losses.get("exponential" if cubic else loss)
