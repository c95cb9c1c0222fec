"""A small ResNet for 32×32 images (He et al., CVPR 2016): three stages, halving the side and doubling the channels.

An identity skip x + F(x) adds a branch of degree two to one of degree zero: the network has no degree, even without
biases. With `skip: weighted` the skip is two 1×1 convolutions, so that both summands have the same degree and the
network is homogeneous. Where the shape changes, an identity skip takes every second position and fills channels with
zeros (option A of the original), which needs no weights.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from dirconv.options import configurable, require_positive

if TYPE_CHECKING:
    from torch import nn

NUMERICS = 1
CHANNELS = (16, 32, 64)  # of the three stages at width 1


@configurable
class Spec:
    """Options of the network."""

    name: Literal["resnet"] = "resnet"
    blocks: int = 1  # residual blocks of two convolutions in each stage
    width: float = 1.0  # factor on every layer's channels
    skip: Literal["identity", "weighted"] = "identity"
    biases: bool = False  # with biases the network has no degree
    normalization: bool = False  # batch normalization after every convolution; no degree either
    side = 32  # of images, in pixels

    def __post_init__(self) -> None:
        require_positive(self, "blocks")
        if not 1 <= CHANNELS[0] * self.width < math.inf:
            raise ValueError(f"width: must leave at least one channel of {CHANNELS[0]}, got {self.width}")

    @property
    def degree(self) -> int | None:
        """The stem, two layers in each block, and the linear layer, each of degree one in its weights."""
        if self.skip == "identity" or self.biases or self.normalization:
            return None
        return 2 + 2 * len(CHANNELS) * self.blocks

    @property
    def coupled(self) -> bool:
        """Batch statistics couple the examples of a batch."""
        return self.normalization


def create(spec: Spec, channels: int, outputs: int, side: int = 32) -> nn.Module:
    import torch
    from torch import nn

    def convolution(inputs: int, outputs: int, side: int, stride: int = 1) -> list[nn.Module]:
        layer = nn.Conv2d(inputs, outputs, side, stride=stride, padding=side // 2, bias=spec.biases)
        return [layer, nn.BatchNorm2d(outputs)] if spec.normalization else [layer]

    class Identity(nn.Module):
        """x, or every second position of it with channels of zeros added."""

        def __init__(self, added: int, stride: int) -> None:
            super().__init__()
            self.added, self.stride = added, stride

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = x[:, :, :: self.stride, :: self.stride]
            return torch.cat([x, x.new_zeros(len(x), self.added, *x.shape[2:])], 1) if self.added else x

    class Block(nn.Module):
        """max(0, skip(x) + branch(x))."""

        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            first, second = convolution(inputs, outputs, 3, stride), convolution(outputs, outputs, 3)
            self.branch = nn.Sequential(*first, nn.ReLU(), *second)
            if spec.skip == "weighted":
                self.skip = nn.Sequential(*convolution(inputs, outputs, 1, stride), *convolution(outputs, outputs, 1))
            else:
                self.skip = Identity(outputs - inputs, stride)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu(self.skip(x) + self.branch(x))

    widths = [int(width * spec.width) for width in CHANNELS]
    layers = [*convolution(channels, widths[0], 3), nn.ReLU()]
    inputs = widths[0]
    for stage, width in enumerate(widths):
        for block in range(spec.blocks):
            layers.append(Block(inputs, width, 2 if stage and not block else 1))
            inputs = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, outputs, bias=spec.biases))
