r"""L2 distances of inputs to the decision boundary: found by an attack, estimated to first order, or certified.

    attacked       ‖δ‖ of the smallest perturbation found that changes the decision: at least the true distance
    first_order    |g|/‖∇ₓg‖, g the difference of the two largest outputs: exact for a linear map
    certified      |g|/Lip(g): at most the true distance

The attack is foolbox's DDN (Rony et al. 2019, decoupled direction and norm), whose radius shrinks where a step has
fooled the network and grows where it has not. A decision does not depend on the scale of the outputs, but an attack's
loss does, so outputs are first divided by their typical size. FMN (Pintor et al. 2021) would serve as well, but
foolbox 3.3.4's L2FMNAttack scales by norms / norms = 1: it never projects, and finds larger radii.

A radius starts at the median first-order estimate and shrinks by at most 5 % a step. An input closer to the boundary
than 0.95^steps of that estimate (0.6 % after 100 steps) therefore gets too large a radius; quantiles are not affected.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from dirconv.errors import UserError

NUMERICS = 1
FAR = 1e6  # bounds of the inputs, which no perturbation reaches


def attacked(function: Callable[[Tensor], Tensor], x: Tensor, labels: Tensor, steps: int) -> Tensor:
    """‖δ‖ for each of n inputs x (n, …), function: x ↦ outputs (n, K), labels (n,) int64; float64.

    0 where an input is misclassified already, infinite where no perturbation was found. UserError without foolbox.
    """
    if len(x) == 0:
        return torch.zeros(0, dtype=torch.float64)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import foolbox
    except ImportError as error:
        message = "the attack on test images needs foolbox, which is not installed; `uv sync --all-extras` brings it"
        raise UserError(message) from error
    with torch.no_grad():
        outputs = function(x)
        scale = outputs.abs().mean().clamp(min=1e-300)
        wrong = outputs.argmax(1) != labels

    class Scaled(torch.nn.Module):
        def forward(self, at: Tensor) -> Tensor:
            return function(at) / scale

    model = foolbox.PyTorchModel(Scaled().eval(), bounds=(-FAR, FAR), device=x.device)
    initial = float(first_order(function, x).median())
    attack = foolbox.attacks.DDNAttack(init_epsilon=max(initial, 1e-12), steps=steps, gamma=0.05)
    perturbed, _, success = attack(model, x, labels, epsilons=None)
    radius = (perturbed - x).flatten(1).norm(dim=1).double()
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
    """|g|/∏‖W_k‖₂ for a network of `layers` W_k whose activations have Lipschitz constant one; g (n,) is its output."""
    norms = torch.stack([torch.linalg.matrix_norm(layer, 2) for layer in layers])
    return gaps.abs().double() / norms.prod()


def radii(
    function: Callable[[Tensor], Tensor], x: Tensor, labels: Tensor, steps: int, bounds: Tensor | None = None
) -> dict[str, float]:
    """Columns of a table: quantiles over the inputs of their distances; `bounds` (n,): the certified ones, if any."""
    attack, linear = attacked(function, x, labels, steps), first_order(function, x)
    return {
        **{f"radius_attack_q{q}": float(attack.quantile(q / 100)) for q in (25, 50, 75)},
        "radius_first_order_q50": float(linear.quantile(0.5)),
        "radius_certified_q50": math.nan if bounds is None else float(bounds.quantile(0.5)),
    }
