"""SGD as practitioners run it, from initialization until every example is classified: ℒ < ℓ(0).

The flow starts where training ends. Mini-batches, momentum, a constant rate, no decay, no augmentation. ℒ is the total
loss over the training set, evaluated once an epoch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import torch
from torch import Tensor

from dirconv.losses import Loss
from dirconv.margins.batch import BatchGradient
from dirconv.margins.network import NetworkMap
from dirconv.options import Train

NUMERICS = 1
GOES_THROUGH = ("batch_gradient",)


@dataclasses.dataclass
class SgdState:
    """The complete state of SGD: continuing from it gives the same bits as not having stopped."""

    weights: Tensor  # (D,), float64
    velocity: Tensor  # (D,), float64
    epoch: int
    random: Tensor  # state of the generator that orders the examples


def start(weights: Tensor, seed: int) -> SgdState:
    """The state before the first epoch."""
    generator = torch.Generator().manual_seed(seed)
    return SgdState(weights.clone(), torch.zeros_like(weights), 0, generator.get_state())


def epochs(margin_map: NetworkMap, loss: Loss, options: Train, state: SgdState) -> Iterator[SgdState]:
    """The state after each further epoch, up to `options.epochs`; the caller stops earlier where ℒ < ℓ(0).

    A step is V ← μV + ∇(mean of ℓ over the batch), W ← W − ηV, as in torch.optim.SGD.
    """
    generator = torch.Generator()
    generator.set_state(state.random)
    gradient = BatchGradient(margin_map, loss, options.arithmetic)
    n = len(margin_map.images)
    size = min(options.batch, n)
    while state.epoch < options.epochs:
        weights, velocity = state.weights.clone(), state.velocity.clone()
        order = torch.randperm(n, generator=generator).to(margin_map.images.device)
        # sizes differ by at most one example: a last batch of one would have no batch statistics
        for batch in order.tensor_split(max(1, n // size)):
            torch.add(gradient(weights, batch), velocity, alpha=options.momentum, out=velocity)
            weights.sub_(velocity, alpha=options.learning_rate)
        state = SgdState(weights, velocity, state.epoch + 1, generator.get_state())
        yield state
