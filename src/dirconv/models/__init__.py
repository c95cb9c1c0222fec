"""Networks. Each is one module with a `Spec` (its options and its degree) and `create(spec, channels, outputs, side)`,
the network from images (n, channels, side, side) to logits (n, outputs). Only a fully connected network depends on
`side`; the weights of the others are the same for images of every side.

A degree L claims f(cW) = c^L f(W) for every c > 0, W being all parameters. `dirconv.homogeneity` tests it before every
training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from dirconv.options import parse, plugin

if TYPE_CHECKING:
    import torch
    from torch import nn

NUMERICS = 1


class Spec(Protocol):
    """What a network's `Spec` offers."""

    name: str
    degree: int | None  # the homogeneity degree L, or None for a network that has none
    coupled: bool  # whether batch statistics couple the examples of a batch
    side: int | None  # of the images that it takes, in pixels; None: any


def specification(options: dict[str, Any], where: str) -> Spec:
    """The options of the network that `options["name"]` names, validated; UserError names a wrong key."""
    module = plugin("models", options.get("name", ""), f"{where}.name")
    return parse(module.Spec, options, where)


def from_options(options: dict[str, Any]) -> Spec:
    """The same from options that were validated before; needs no pydantic."""
    return plugin("models", options["name"], "model").Spec(**options)


def create(
    spec: Spec, channels: int, outputs: int, generator: torch.Generator, scale: float = 1.0, side: int = 32
) -> nn.Module:
    """The network from images (n, channels, side, side) to logits (n, outputs), its weights drawn from `generator`.

    Weights of convolutions and linear layers: `scale` · N(0, 2/fan_in) (He et al. 2015), customary with ReLU; biases:
    U(−1/√fan_in, 1/√fan_in), PyTorch's default. Batch normalization starts at γ = 1, β = 0.
    """
    import torch
    from torch import nn

    network = plugin("models", spec.name, "model").create(spec, channels, outputs, side)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                fan_in = module.weight[0].numel()
                module.weight.normal_(0.0, scale * (2.0 / fan_in) ** 0.5, generator=generator)
                if module.bias is not None:
                    module.bias.uniform_(-(fan_in**-0.5), fan_in**-0.5, generator=generator)
    return network
