r"""Homogeneous AlexNet for 32×32 images: five convolutions and one linear layer.

Krizhevsky's network without biases, dropout and response normalization, as the paper trains it, so that with ReLU and
max pooling f(cW) = c⁶ f(W). The paper does not print the architecture; this is the customary reduction of AlexNet to
32×32 inputs (docs/design.md).

With `activation: smooth` it is a network on images for which Theorem 4.1 holds, whose premise, locally Lipschitz
gradients of the margins, ReLU and max pooling do not meet. ReLU's kink is rounded over a width that scales with the
layer, and average pooling takes the place of max pooling; the degree is 6 as before:

    φ(z) = ½ (z + √(z² + ε² m²)),    m² = mean of z² over the layer's outputs for this image

φ(cz) = c φ(z) for c > 0; max(0, z) ≤ φ(z) ≤ max(0, z) + ε m/2, so that ε → 0 gives back ReLU with average pooling. φ is
analytic where m > 0.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from dirconv.options import added, configurable

if TYPE_CHECKING:
    from torch import nn

NUMERICS = 1
CHANNELS = (64, 192, 384, 256, 256)  # of the five convolutions at width 1
SOFTNESS = 0.3  # ε


@configurable
class Spec:
    """Options of the network."""

    name: Literal["alexnet"] = "alexnet"
    width: float = 1.0  # factor on every layer's channels
    biases: bool = False  # with biases the network has no degree
    activation: Literal["relu", "smooth"] = added("relu")  # smooth: with average instead of max pooling
    softness: float = added(SOFTNESS)  # ε of the smooth activation
    coupled = False  # no batch statistics
    side = 32  # of images, in pixels

    def __post_init__(self) -> None:
        if not 1 <= CHANNELS[0] * self.width < math.inf:
            raise ValueError(f"width: must leave at least one channel of {CHANNELS[0]}, got {self.width}")
        if not 0 < self.softness < math.inf:
            raise ValueError(f"softness: must be above zero and finite, got {self.softness}")
        if self.activation == "relu" and self.softness != SOFTNESS:
            raise ValueError("softness: ReLU has none; leave it out, or give activation: smooth")

    @property
    def degree(self) -> int | None:
        """Six layers, each of degree one in its weights."""
        return None if self.biases else 6


def smooth(softness: float) -> nn.Module:
    r"""φ(z) = ½ (z + √(z² + ε² m²)) of a layer's outputs z (n, …), ε = `softness`, m² the mean of z² for each image.

    Where an image's outputs are all zero, φ is zero and so is its gradient, as ReLU's. There is no fixed number under
    the root, which would not be homogeneous; z² must be within the range of floating point.
    """
    import torch
    from torch import nn

    class Smooth(nn.Module):
        """φ, without parameters."""

        def forward(self, z: torch.Tensor) -> torch.Tensor:
            squares = z.square()
            width = softness**2 * squares.mean(tuple(range(1, z.dim())), keepdim=True)  # ε² m², (n, 1, …)
            some = width > 0
            # any number above zero will do where there is none: the root's slope is infinite at zero
            root = (squares + torch.where(some, width, 1.0)).sqrt()
            return (z + root) * (0.5 * some.to(z.dtype))

        def extra_repr(self) -> str:
            return f"softness={softness}"

    return Smooth()


def create(spec: Spec, channels: int, outputs: int, side: int = 32) -> nn.Module:
    from torch import nn

    plain = spec.activation == "relu"

    def convolution(inputs: int, outputs: int, side: int, stride: int = 1) -> list[nn.Module]:
        layer = nn.Conv2d(inputs, outputs, side, stride, padding=side // 2, bias=spec.biases)
        return [layer, nn.ReLU() if plain else smooth(spec.softness)]

    def pooling() -> nn.Module:
        return nn.MaxPool2d(2) if plain else nn.AvgPool2d(2)

    a, b, c, d, e = (int(width * spec.width) for width in CHANNELS)
    return nn.Sequential(
        *convolution(channels, a, 11, stride=4),
        pooling(),
        *convolution(a, b, 5),
        pooling(),
        *convolution(b, c, 3),
        *convolution(c, d, 3),
        *convolution(d, e, 3),
        pooling(),
        nn.Flatten(),
        nn.Linear(e, outputs, bias=spec.biases),
    )
