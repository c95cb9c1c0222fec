"""Homogeneous AlexNet for 32×32 images: five convolutions and one linear layer.

Krizhevsky's network without biases, dropout and response normalization, as the paper trains it, so that with ReLU and
max pooling f(cW) = c⁶ f(W). The paper does not print the architecture; this is the customary reduction of AlexNet to
32×32 inputs (docs/design.md).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from dirconv.options import configurable

if TYPE_CHECKING:
    from torch import nn

NUMERICS = 1
CHANNELS = (64, 192, 384, 256, 256)  # of the five convolutions at width 1


@configurable
class Spec:
    """Options of the network."""

    name: Literal["alexnet"] = "alexnet"
    width: float = 1.0  # factor on every layer's channels
    biases: bool = False  # with biases the network has no degree
    coupled = False  # no batch statistics

    def __post_init__(self) -> None:
        if not 1 <= CHANNELS[0] * self.width < math.inf:
            raise ValueError(f"width: must leave at least one channel of {CHANNELS[0]}, got {self.width}")

    @property
    def degree(self) -> int | None:
        """Six layers, each of degree one in its weights."""
        return None if self.biases else 6


def create(spec: Spec, channels: int, outputs: int) -> nn.Module:
    from torch import nn

    def convolution(inputs: int, outputs: int, side: int, stride: int = 1) -> list[nn.Module]:
        return [nn.Conv2d(inputs, outputs, side, stride, padding=side // 2, bias=spec.biases), nn.ReLU()]

    a, b, c, d, e = (int(width * spec.width) for width in CHANNELS)
    return nn.Sequential(
        *convolution(channels, a, 11, stride=4),
        nn.MaxPool2d(2),
        *convolution(a, b, 5),
        nn.MaxPool2d(2),
        *convolution(b, c, 3),
        *convolution(c, d, 3),
        *convolution(d, e, 3),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(e, outputs, bias=spec.biases),
    )
