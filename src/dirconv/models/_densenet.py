"""The parts of DenseNets (Huang et al., CVPR 2017): bottlenecks, concatenation, compression ½, batch normalization.

Batch normalization and the last layer's bias make these networks non-homogeneous.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

NUMERICS = 1


def network(stem: list[nn.Module], width: int, blocks: tuple[int, ...], growth: int, outputs: int) -> nn.Module:
    """A DenseNet-BC: a stem of `width` channels, dense blocks of `blocks` bottleneck layers, pooling between blocks.

    growth: channels that each bottleneck layer adds. Images (n, channels, side, side) to logits (n, outputs).
    """
    import torch
    from torch import nn

    class Concatenate(nn.Sequential):
        """x ↦ (x, layers(x)), stacked along the channels."""

        def forward(self, x):
            return torch.cat([x, super().forward(x)], 1)

    def convolution(inputs: int, outputs: int, side: int) -> list[nn.Module]:
        layer = nn.Conv2d(inputs, outputs, side, padding=side // 2, bias=False)
        return [nn.BatchNorm2d(inputs), nn.ReLU(), layer]

    layers = list(stem)
    for i, count in enumerate(blocks):
        for _ in range(count):
            layers.append(Concatenate(*convolution(width, 4 * growth, 1), *convolution(4 * growth, growth, 3)))
            width += growth
        if i < len(blocks) - 1:
            layers += [*convolution(width, width // 2, 1), nn.AvgPool2d(2)]
            width //= 2
    head = [nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, outputs)]
    return nn.Sequential(*layers, *head)
