"""Copies of networks: an evaluation may leave tensors in one that belong to a graph, and torch does not copy those."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn


def copied(network: nn.Module) -> nn.Module:
    """A deep copy. What a module keeps of a forward pass (outputs, a normalized weight) is copied as a constant."""
    kept = [value for module in network.modules() for value in _tensors(vars(module)) if value.grad_fn is not None]
    return copy.deepcopy(network, {id(value): value.detach().clone() for value in kept})


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in nested containers; submodules are no containers, parameters and buffers have no graph."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _tensors(item)
