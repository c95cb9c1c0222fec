"""A network in float64. On a CPU, torch's float64 convolutions are many times slower than a matrix product."""

from __future__ import annotations

import copy

from torch import Tensor, nn
from torch.nn import functional


class Unfolded(nn.Conv2d):
    """A convolution as patches times weights."""

    def _conv_forward(self, images: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        rows, (height, width) = patches(self, images)
        # one large product: a product for each image, (O, C) by (C, positions), takes several times as long
        out = rows.flatten(0, 1) @ weight.flatten(1).T
        if bias is not None:
            out = out + bias
        return out.view(len(images), height, width, -1).permute(0, 3, 1, 2)


def double(network: nn.Module) -> nn.Module:
    """A copy of the network that computes in float64."""
    network = copy.deepcopy(network).double()
    for module in network.modules():
        if type(module) is nn.Conv2d and module.weight.device.type == "cpu" and unfoldable(module):
            module.__class__ = Unfolded
    return network


def unfoldable(module: nn.Conv2d) -> bool:
    """Whether `patches` handles the convolution: one group, no dilation, padding with a given number of zeros."""
    plain = module.groups == 1 and module.dilation == (1, 1)
    return plain and module.padding_mode == "zeros" and isinstance(module.padding, tuple)


def patches(module: nn.Conv2d, images: Tensor) -> tuple[Tensor, tuple[int, int]]:
    """The patches that a convolution multiplies by its weights, (n, positions, channels · kernel), and their grid.

    A strided view, copied once; torch's own `unfold` takes several times as long on a CPU.
    """
    view = windows(module, images)
    height, width = view.shape[2:4]
    return view.permute(0, 2, 3, 1, 4, 5).reshape(len(images), height * width, -1), (height, width)


def windows(module: nn.Conv2d, images: Tensor) -> Tensor:
    """The same patches as a strided view (n, channels, height, width, kernel height, kernel width)."""
    (down, across), (kernel_height, kernel_width) = module.padding, module.kernel_size
    padded = functional.pad(images, (across, across, down, down))
    return padded.unfold(2, kernel_height, module.stride[0]).unfold(3, kernel_width, module.stride[1])
