"""The margin map of a torch network on labelled images, and its per-example gradients."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap

from dirconv.margins import Block, Pullback
from dirconv.margins._convolutions import double
from dirconv.margins._coupled import DenseRows, coupled_rows
from dirconv.margins._gram import Factor
from dirconv.margins._layers import gradient_factors, layered
from dirconv.margins.copies import copied
from dirconv.margins.jacobian import Jacobian, of_network

NUMERICS = 1
GOES_THROUGH = ("jacobian",)


@dataclasses.dataclass(frozen=True)
class NetworkMap:
    """The margin map of a network on labelled images; see `dirconv.margins.MarginMap` for the methods it shares.

    images: (n, channels, side, side) in the network's precision; labels: ±1 for one logit, or 0 … K−1.
    chunk: images per forward pass. Where batch statistics couple the examples (`coupled`), these fixed chunks are the
    batches over which statistics are taken, so that p is a function of W alone.
    keep: up to this many images, activations are kept for the backward pass; beyond, they are computed again.
    memory: MiB that inner products of gradients (`rows`) may take besides their result.
    layerwise: compare gradients layer by layer, which assumes that each layer's parameters are used in its own call
    and nowhere else. False compares them one example at a time: slower, but correct for any network.
    """

    network: nn.Module
    images: Tensor
    labels: Tensor
    degree: int | None
    coupled: bool = False
    chunk: int = 500
    keep: int = 2000
    memory: int = 1024
    layerwise: bool = True

    def __post_init__(self) -> None:
        self.network.train(self.coupled)

    @functools.cached_property
    def blocks(self) -> list[Block]:
        """The network's parameter tensors, in their order in the flat vector."""
        blocks, start = [], 0
        for name, parameter in self.network.named_parameters():
            stop = start + parameter.numel()
            blocks.append(Block(name, tuple(parameter.shape), start, stop))
            start = stop
        return blocks

    def flatten(self) -> Tensor:
        """The network's own weights as a flat vector (D,), float64."""
        return torch.cat([p.detach().double().flatten() for p in self.network.parameters()])

    def on(self, images: Tensor, labels: Tensor) -> NetworkMap:
        """The same network's map on other data of the same shape."""
        return dataclasses.replace(self, images=images, labels=labels)

    def frozen(self, weights: Tensor) -> NetworkMap:
        """The map with batch statistics fixed at their average over the training chunks at `weights`.

        This is how a network with batch normalization is evaluated on test images. A map without batch statistics is
        returned unchanged.
        """
        return self.settled(weights)[1] if self.coupled else self

    def settled(self, weights: Tensor) -> tuple[Tensor, NetworkMap]:
        """Margins at `weights` (see `values`) and the map that `frozen` makes there, by one pass over the images."""
        if not self.coupled:
            return self.values(weights), self
        network = copied(self.network)
        layers = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum = None  # the cumulative average over all chunks
        fixed = dataclasses.replace(self, network=network, coupled=False)
        network.train()  # normalizes by each chunk's statistics and updates the running averages
        margins = fixed.values(weights)
        network.eval()
        return margins, fixed

    def precise(self) -> NetworkMap:
        if self._dtype == torch.float64 and self.images.device.type != "cpu":
            return self
        return dataclasses.replace(self, network=double(self.network))

    def values(self, weights: Tensor, examples: Tensor | None = None) -> Tensor:
        if examples is not None:
            return self.values(weights)[examples] if self.coupled else self._part(examples).values(weights)
        with torch.no_grad():
            return torch.cat(self._chunks(weights))

    def jacobian(self, weights: Tensor, examples: Tensor) -> tuple[Tensor, Jacobian]:
        if self.coupled:
            rows = coupled_rows(self, weights, examples)
            return rows.margins, Jacobian.dense(rows.jacobian)
        return of_network(self, weights, examples)

    def rows(self, weights: Tensor, examples: Tensor) -> NetworkRows | DenseRows:
        if self.coupled:
            return coupled_rows(self, weights, examples)
        return NetworkRows(self._part(examples), weights)

    def linearize(self, weights: Tensor) -> tuple[Tensor, Pullback]:
        """Costs a forward pass, and a forward and backward pass for each pullback."""
        kept = len(self.images) <= self.keep
        leaf = weights.detach().clone().requires_grad_()
        with torch.set_grad_enabled(kept):
            chunks = self._chunks(leaf)

        def pullback(q: Tensor) -> Tensor:
            parts = q.split(self.chunk)
            if kept:
                return torch.autograd.grad(chunks, leaf, parts, retain_graph=True)[0]
            total = torch.zeros_like(leaf)
            for part, (images, labels) in zip(parts, self._batches(), strict=True):
                total += torch.autograd.grad(self.margins(leaf, images, labels), leaf, part)[0]
            return total

        return torch.cat(chunks).detach(), pullback

    def margins(self, weights: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        """Margins (m, K−1), float64, of any images in one pass, differentiable in weights and images.

        There are no chunks: batch statistics, if any, are taken over all these images.
        """
        return self._margins(self._parameters(weights), images, labels)

    @property
    def unit(self) -> float:
        return torch.finfo(self._dtype).eps / 2

    @property
    def _dtype(self) -> torch.dtype:
        return next(self.network.parameters()).dtype

    def _part(self, examples: Tensor) -> NetworkMap:
        return self.on(self.images[examples], self.labels[examples])

    def _parameters(self, weights: Tensor) -> dict[str, Tensor]:
        # one split: the gradient of each slice would be a vector as long as all weights, and these would be summed
        parts = weights.to(self._dtype).split([block.stop - block.start for block in self.blocks])
        return {block.name: part.view(block.shape) for block, part in zip(self.blocks, parts, strict=True)}

    def _chunks(self, weights: Tensor) -> list[Tensor]:
        parameters = self._parameters(weights)
        return [self._margins(parameters, images, labels) for images, labels in self._batches()]

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        return zip(self.images.split(self.chunk), self.labels.split(self.chunk), strict=True)

    def _margins(self, parameters: dict[str, Tensor], images: Tensor, labels: Tensor) -> Tensor:
        # copies of the running statistics: evaluating the map must not change the network
        buffers = {name: buffer.clone() for name, buffer in self.network.named_buffers()} if self.coupled else {}
        logits = functional_call(self.network, {**parameters, **buffers}, (images.to(self._dtype),)).double()
        if logits.shape[1] == 1:
            return logits * labels[:, None]
        # by masks: the deterministic backward pass of `gather` cannot be captured as a CUDA graph
        classes = torch.arange(logits.shape[1], device=labels.device)
        true = classes == labels[:, None]
        others = classes[:-1] + (classes[:-1] >= labels[:, None])  # every class but the example's, in order
        chosen = (classes == others[:, :, None]).double()
        return (logits * true).sum(1, keepdim=True) - (logits[:, None] * chosen).sum(2)


class NetworkRows:
    """See `dirconv.margins.Rows`: the rows of all examples of a map at one point."""

    def __init__(self, margin_map: NetworkMap, weights: Tensor) -> None:
        self._map, self._weights = margin_map, weights
        self.margins, self._pullback = margin_map.linearize(weights)

    def pullback(self, q: Tensor) -> Tensor:
        return self._pullback(q)

    def gram(self) -> Tensor:
        """Factors of blocks of examples are held while memory allows, and else computed again."""
        size = max(1, min(self._map.chunk, -(-len(self.margins) // 4)))
        blocks = torch.arange(len(self.margins), device=self.margins.device).split(size)
        budget = self._budget()
        width = self.margins.shape[1]
        total = torch.zeros(self.margins.numel(), self.margins.numel(), dtype=torch.float64, device=self.margins.device)
        held: dict[int, list[Factor]] = {}
        used = 0
        for i, first in enumerate(blocks):
            mine = held.pop(i, None) or self._factors(first)
            for j in range(i, len(blocks)):
                other = mine if j == i else held.get(j) or self._factors(blocks[j])
                if j > i and j not in held and used + sum(f.elements for f in other) <= budget:
                    held[j] = other
                    used += sum(f.elements for f in other)
                a, b = (slice(int(m[0]) * width, (int(m[-1]) + 1) * width) for m in (first, blocks[j]))
                part = sum(f.cross(g, budget // 4) for f, g in zip(mine, other, strict=True))
                total[a, b], total[b, a] = part, part.T
        return total

    def _factors(self, examples: Tensor) -> list[Factor]:
        """The factors of the gradients of a block of examples, a row a margin."""
        part = self._map.on(self._map.images[examples], self._map.labels[examples])
        if not (part.layerwise and layered(part.network)):
            return [Factor(self._per_example(part))]
        factors = [factor for _, factor in gradient_factors(part, self._weights)[1]]
        # where the gradients themselves are cheaper to compare, they are formed once if those of all examples fit
        left = self._budget() // 2 * len(examples) // len(self.margins)
        for i, factor in enumerate(factors):
            factors[i] = factor.reduced(left)
            left -= factors[i].elements if factors[i] is not factor else 0
        return factors

    def _budget(self) -> int:
        """How many numbers fit into the map's memory."""
        return self._map.memory * 2**23 // torch.finfo(self._map._dtype).bits

    def _per_example(self, part: NetworkMap) -> Tensor:
        """Gradients (n (K−1), D) of any network, one example at a time under `vmap`."""

        def margins(weights: Tensor, image: Tensor, label: Tensor) -> Tensor:
            return part.margins(weights, image[None], label[None])[0]

        weights = self._weights.detach().to(part._dtype)
        jacobian = jacrev(margins)
        size = max(1, self._map.memory * 2**18 // (weights.numel() * self.margins.shape[1]))
        pairs = zip(part.images.split(size), part.labels.split(size), strict=True)
        return torch.cat([vmap(jacobian, (None, 0, 0))(weights, *pair).to(part._dtype).flatten(0, 1) for pair in pairs])


def evaluate(train: NetworkMap, other: NetworkMap, weights: Tensor) -> Tensor:
    """Margins (n, K−1) on the images of `other`, with batch statistics from those of `train`."""
    return train.frozen(weights).on(other.images, other.labels).values(weights)
