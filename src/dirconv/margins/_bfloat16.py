"""A network whose convolutions compute in bfloat16, fast on a CPU as well."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from dirconv.margins._double import unfoldable, windows

POSITIONS = 64  # of the output, up to which patches are faster


class Patched(nn.Conv2d):
    """A convolution in bfloat16 whose weights' gradient is one product of patches where the image is small.

    oneDNN's kernel for that gradient takes several times as long there: it splits its work along positions, of which
    AlexNet's last convolutions have four.
    """

    def _conv_forward(self, images: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        images = images.to(torch.bfloat16).contiguous(memory_format=torch.channels_last)
        weight = weight.to(torch.bfloat16)
        out = _Convolution.apply(images, weight, self)
        return out if bias is None else out + bias[:, None, None]


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(context, images: Tensor, weight: Tensor, module: nn.Conv2d) -> Tensor:
        context.save_for_backward(images, weight)
        context.module = module
        return functional.conv2d(images, weight, None, module.stride, module.padding)

    @staticmethod
    def backward(context, gradient: Tensor) -> tuple[Tensor | None, Tensor, None]:
        images, weight = context.saved_tensors
        stride, padding = context.module.stride, context.module.padding
        small = gradient.shape[2] * gradient.shape[3] <= POSITIONS
        mask = [context.needs_input_grad[0], not small, False]
        at_images, at_weight, _ = torch.ops.aten.convolution_backward(
            gradient, images, weight, None, stride, padding, (1, 1), False, (0, 0), 1, mask
        )
        if small:
            at_weight = _at_weight(context.module, images, gradient)
        return at_images, at_weight, None


def _at_weight(module: nn.Conv2d, images: Tensor, gradient: Tensor) -> Tensor:
    """The weights' gradient (O, C, k, l), from patches with channels last."""
    height, width = module.kernel_size
    rows = windows(module, images).permute(0, 2, 3, 4, 5, 1).reshape(-1, height * width * images.shape[1])
    product = gradient.permute(0, 2, 3, 1).reshape(-1, gradient.shape[1]).T @ rows
    return product.view(-1, height, width, images.shape[1]).permute(0, 3, 1, 2)


def bfloat16(network: nn.Module) -> nn.Module:
    """A copy of the network whose convolutions compute in bfloat16; on a GPU, whose kernels are fast, the network."""
    if next(network.parameters()).device.type != "cpu":
        return network
    network = copy.deepcopy(network)
    for module in network.modules():
        if type(module) is nn.Conv2d and unfoldable(module):
            module.__class__ = Patched
    return network
