"""DenseNet-121 (Huang et al., CVPR 2017) for 32×32 images: the ImageNet network with a stem that keeps their size.

The original's 7×7 convolution of stride 2 and its pooling would reduce an image of 32×32 to 8×8. As is customary, a 3×3
convolution of stride 1 replaces both; the rest is torchvision's `densenet121`. Not homogeneous.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dirconv.models import _densenet
from dirconv.options import configurable

if TYPE_CHECKING:
    from torch import nn

NUMERICS = 1
GOES_THROUGH = ("densenet_layers",)
BLOCKS = (6, 12, 24, 16)
GROWTH = 32
WIDTH = 64  # channels of the stem


@configurable
class Spec:
    """Options of the network: none."""

    name: Literal["densenet121"] = "densenet121"
    side = 32  # of images, in pixels
    degree, coupled = None, True  # not homogeneous; batch statistics couple the examples of a batch


def create(spec: Spec, channels: int, outputs: int, side: int = 32) -> nn.Module:
    from torch import nn

    stem = [nn.Conv2d(channels, WIDTH, 3, padding=1, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU()]
    return _densenet.network(stem, WIDTH, BLOCKS, GROWTH, outputs)
