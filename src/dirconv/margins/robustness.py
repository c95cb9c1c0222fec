r"""How far inputs are from the decision boundary, in L2: found by an attack, estimated to first order, or certified.

    attacked       ‖δ‖ of the smallest perturbation found that changes the decision: at least the true distance
    first_order    |g|/‖∇ₓg‖, g the difference of the two largest outputs: exact for a linear map
    certified      |g|/Lip(g): at most the true distance

The attack is foolbox's DDN (Rony et al. 2019, decoupled direction and norm), whose radius shrinks where a step has
fooled the network and grows where it has not. A decision does not depend on the scale of the outputs, but an attack's
loss does, so outputs are divided by their typical size first. FMN (Pintor et al. 2021) is no worse a
method, but foolbox 3.3.4's L2FMNAttack scales by norms / norms = 1, that is, never projects, and finds larger radii.

A radius shrinks by at most 5 % a step from the median first-order estimate on, so that an input nearer to the boundary
than 0.95^steps of that is put at about there: 0.6 % of it after 100 steps. Quantiles do not notice.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from dirconv.errors import UserError

FAR = 1e6  # bounds of the inputs that no perturbation reaches


def attacked(function: Callable[[Tensor], Tensor], x: Tensor, labels: Tensor, steps: int) -> Tensor:
    """‖δ‖ for each of n inputs x (n, …), function: x ↦ outputs (n, K), labels (n,) int64; 0 where it is wrong already.

    Infinite where no perturbation was found.
    """
    if len(x) == 0:
        return torch.zeros(0, dtype=torch.float64)
    foolbox = _foolbox()
    with torch.no_grad():
        outputs = function(x)
        scale = outputs.abs().mean().clamp(min=1e-300)
        wrong = outputs.argmax(1) != labels

    class Scaled(torch.nn.Module):
        def forward(self, at: Tensor) -> Tensor:
            return function(at) / scale

    model = foolbox.PyTorchModel(Scaled().eval(), bounds=(-FAR, FAR), device=x.device)
    # the first radius is an absolute length: the first-order estimate's is of the right size
    first = float(first_order(function, x).median())
    attack = foolbox.attacks.DDNAttack(init_epsilon=max(first, 1e-12), steps=steps, gamma=0.05)
    found, _, success = attack(model, x, labels, epsilons=None)
    radius = (found - x).flatten(1).norm(dim=1).double()
    radius = torch.where(success, radius, torch.inf)
    return torch.where(wrong, 0.0, radius).detach()


def first_order(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """|g|/‖∇ₓg‖ for each of n inputs, g the difference of the largest two outputs."""
    at = x.detach().clone().requires_grad_()
    top = function(at).topk(2, dim=1).values
    gap = top[:, 0] - top[:, 1]
    slope = torch.autograd.grad(gap.sum(), at)[0].flatten(1).norm(dim=1)
    return (gap.detach() / slope).double()


def certified(gaps: Tensor, layers: list[Tensor]) -> Tensor:
    """|g|/∏‖W_k‖₂ for a network without biases whose activations have the Lipschitz constant one; g (n,) its output."""
    norms = torch.stack([torch.linalg.matrix_norm(layer, 2) for layer in layers])
    return gaps.abs().double() / norms.prod()


def _foolbox():
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import foolbox
    except ImportError as error:
        raise UserError(
            "the attack on test images needs foolbox, which is not installed; `uv sync --all-extras` brings it"
        ) from error
    return foolbox
