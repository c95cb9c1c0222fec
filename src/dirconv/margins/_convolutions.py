"""Networks whose convolutions compute in float64 or in bfloat16, fast on a CPU as well."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from dirconv.margins.copies import copied

POSITIONS = 64  # of the output, up to which the weights' gradient in bfloat16 is faster from patches


def double(network: nn.Module) -> nn.Module:
    """A copy of the network that computes in float64.

    On a CPU, torch's float64 convolutions are many times slower than a matrix product.
    """
    network = copied(network).double()
    return _with_convolutions(network, Unfolded) if _on_cpu(network) else network


def bfloat16(network: nn.Module) -> nn.Module:
    """A copy of the network whose convolutions compute in bfloat16; on a GPU, whose kernels are fast, the network."""
    return _with_convolutions(copied(network), Patched) if _on_cpu(network) else network


def _on_cpu(network: nn.Module) -> bool:
    return next(network.parameters()).device.type == "cpu"


def _with_convolutions(network: nn.Module, kind: type[nn.Conv2d]) -> nn.Module:
    """The network, with all convolutions that `patches` handles turned into `kind`."""
    for module in network.modules():
        if type(module) is nn.Conv2d and unfoldable(module):
            module.__class__ = kind
    return network


class Unfolded(nn.Conv2d):
    """A convolution as patches times weights."""

    def _conv_forward(self, images: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        rows, (height, width) = patches(self, images)
        # one large product: a product for each image, (O, C) by (C, positions), takes several times as long
        out = rows.flatten(0, 1) @ weight.flatten(1).T
        if bias is not None:
            out = out + bias
        return out.view(len(images), height, width, -1).permute(0, 3, 1, 2)


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
