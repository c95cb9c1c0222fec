"""The gradients of a network's margins as factors of its layers: one forward pass, one backward pass a wrong class.

∇p_i of a layer's weights is Σ_t g_it ⊗ a_it: a_it what the layer multiplies at position t, g_it the gradient at its
output there (`dirconv.margins._gram`). Both are recorded at the layer's calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from dirconv.margins._convolutions import Unfolded, patches, unfoldable
from dirconv.margins._gram import Factor

if TYPE_CHECKING:
    from dirconv.margins.network import NetworkMap


def gradient_factors(part: NetworkMap, weights: Tensor) -> tuple[Tensor, list[tuple[str, Factor]]]:
    """Margins (n, K−1) of all examples of `part` at weights (D,), and (parameter's name, factor) of every parameter.

    A factor has a row a margin, n (K−1) in all. The network must be `layered`.
    """
    leaf = weights.detach().clone().requires_grad_()
    calls: dict[nn.Module, list[tuple[Tensor, Tensor]]] = {}

    def record(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        calls.setdefault(module, []).append((inputs[0].detach(), output))
        return output.clone()  # a later in-place operation must not change the recorded output

    hooks = [module.register_forward_hook(record) for module in part.network.modules() if module._parameters]
    try:
        margins = part.margins(leaf, part.images, part.labels)
    finally:
        for hook in hooks:
            hook.remove()
    outputs = [output for recorded in calls.values() for _, output in recorded]
    width = margins.shape[1]
    gradients = [torch.autograd.grad(margins[:, k].sum(), outputs, retain_graph=k < width - 1) for k in range(width)]
    joined = iter([torch.stack(columns, 1).flatten(0, 1) for columns in zip(*gradients, strict=True)])
    names = {module: name for name, module in part.network.named_modules()}
    factors = []
    for module, recorded in calls.items():
        pairs = [(inputs.repeat_interleave(width, 0), next(joined)) for inputs, _ in recorded]
        prefix = f"{names[module]}." if names[module] else ""
        kinds = ("weight", "bias")  # in the order in which `_LAYERS` returns them
        of_module = zip(kinds, _LAYERS[type(module)](module, pairs), strict=False)
        factors += [(prefix + kind, factor) for kind, factor in of_module]
    return margins.detach(), factors


Pairs = list[tuple[Tensor, Tensor]]  # for each call of a layer: its input, and the gradient at its output


def _convolution(module: nn.Conv2d, pairs: Pairs) -> list[Factor]:
    a = torch.cat([patches(module, inputs)[0] for inputs, _ in pairs], 1)
    g = torch.cat([gradient.flatten(2).transpose(1, 2) for _, gradient in pairs], 1)
    return [Factor(g, a), *_offset(module, g)]


def _linear(module: nn.Linear, pairs: Pairs) -> list[Factor]:
    a, g = (
        torch.cat([pair[which].reshape(len(pair[0]), -1, pair[which].shape[-1]) for pair in pairs], 1)
        for which in (0, 1)
    )
    return [Factor(g, a), *_offset(module, g)]


def _offset(module: nn.Module, g: Tensor) -> list[Factor]:
    return [] if module.bias is None else [Factor(g.sum(1))]


def _normalization(module: nn.BatchNorm2d, pairs: Pairs) -> list[Factor]:
    scale = (module.running_var + module.eps).rsqrt()[:, None, None]
    mean = module.running_mean[:, None, None]
    weight = sum((gradient * (inputs - mean) * scale).sum((2, 3)) for inputs, gradient in pairs)
    return [Factor(weight), Factor(sum(gradient.sum((2, 3)) for _, gradient in pairs))]


_LAYERS = {nn.Conv2d: _convolution, Unfolded: _convolution, nn.Linear: _linear, nn.BatchNorm2d: _normalization}


def layered(network: nn.Module) -> bool:
    """Whether every parameter belongs to a kind of layer that `_LAYERS` handles."""
    for module in network.modules():
        if not module._parameters:
            continue
        if type(module) not in _LAYERS or (type(module) is nn.Conv2d and not unfoldable(module)):
            return False
        if type(module) is nn.BatchNorm2d and (module.training or not module.affine or module.running_mean is None):
            return False
    return True
