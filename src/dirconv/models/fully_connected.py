r"""Fully connected networks without biases on images, every pixel of every channel an input.

    f(x) = W_k σ(W_{k−1} σ(⋯ σ(W₁ x))),    x (n, channels · side²),    W_j (widths of two neighbouring layers)

============  =============  ======  ============================
activation    σ(h)           degree  gradients
============  =============  ======  ============================
linear        h              1       analytic
relu          max(0, h)      1       jump at h = 0
leaky_relu    max(h/10, h)   1       jump at h = 0
squared_relu  max(0, h)²     2       locally Lipschitz
============  =============  ======  ============================

A layer behind an activation of degree d adds one to d times the degree before: k layers have degree k, or with squared
ReLU 2ᵏ − 1. `hidden: [1000]` on 500 images is D-1000-1, the network that is customarily trained towards its KKT points
(Haim et al., NeurIPS 2022). Small networks of the same form, many seeds at once, are problems (`dirconv.problems`).
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Literal

from dirconv.options import configurable

if TYPE_CHECKING:
    import torch
    from torch import nn

NUMERICS = 1
LEAK = 0.1
DEGREES = {"squared_relu": 2}  # of activations; the others have degree one


@configurable
class Spec:
    """Options of the network."""

    name: Literal["fully_connected"] = "fully_connected"
    hidden: list[int] = dataclasses.field(default_factory=lambda: [1000])  # width of each hidden layer
    activation: Literal["linear", "relu", "leaky_relu", "squared_relu"] = "relu"
    coupled = False  # no batch statistics
    side = None  # images of any size

    def __post_init__(self) -> None:
        if any(width < 1 for width in self.hidden):
            raise ValueError(f"hidden: every layer needs at least one unit, got {self.hidden}")

    @property
    def degree(self) -> int:
        """L of f in its weights: 1 for the first layer, then L ↦ d L + 1 for each that follows."""
        degree = 1
        for _ in self.hidden:
            degree = DEGREES.get(self.activation, 1) * degree + 1
        return degree


def create(spec: Spec, channels: int, outputs: int, side: int = 32) -> nn.Module:
    from torch import nn

    class SquaredReLU(nn.Module):
        """max(0, h)²."""

        def forward(self, h: torch.Tensor) -> torch.Tensor:
            return h.relu().square()

    activations = {
        "linear": nn.Identity,
        "relu": nn.ReLU,
        "leaky_relu": lambda: nn.LeakyReLU(LEAK),
        "squared_relu": SquaredReLU,
    }
    widths = [channels * side**2, *spec.hidden]
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, width in itertools.pairwise(widths):
        layers += [nn.Linear(inputs, width, bias=False), activations[spec.activation]()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], outputs, bias=False))
