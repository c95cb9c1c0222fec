"""DenseNet-BC for 32×32 images (Huang et al., CVPR 2017): bottlenecks, compression ½, batch normalization.

Not homogeneous; the paper shows that its direction converges nevertheless. Depth 100, growth 12 and ten classes give
the 769,162 parameters of the original.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dirconv.models import _densenet
from dirconv.options import configurable

if TYPE_CHECKING:
    from torch import nn

NUMERICS = 1
GOES_THROUGH = ("densenet_layers",)
BLOCKS = 3


@configurable
class Spec:
    """Options of the network."""

    name: Literal["densenet"] = "densenet"
    depth: int = 100  # 6 m + 4: three blocks of m bottleneck layers with two convolutions each
    growth: int = 12  # channels that each bottleneck layer adds
    side = 32  # of images, in pixels
    degree, coupled = None, True  # not homogeneous; batch statistics couple the examples of a batch

    def __post_init__(self) -> None:
        if self.depth < 10 or (self.depth - 4) % 6:
            raise ValueError(f"depth: must be 6 m + 4 (10, 16, 22, …, 100), got {self.depth}")
        if self.growth < 1:
            raise ValueError(f"growth: must be at least 1, got {self.growth}")


def create(spec: Spec, channels: int, outputs: int, side: int = 32) -> nn.Module:
    from torch import nn

    width = 2 * spec.growth
    stem = [nn.Conv2d(channels, width, 3, padding=1, bias=False)]
    return _densenet.network(stem, width, BLOCKS * ((spec.depth - 4) // 6,), spec.growth, outputs)
