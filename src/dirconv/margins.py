r"""The margin map p: ℝᴰ → ℝⁿˣ⁽ᴷ⁻¹⁾, all that a flow gets to see of a network and its data.

For two classes p_i(W) = y_i Φ(x_i; W), for K classes p_ik(W) = Φ_y(x_i; W) − Φ_k(x_i; W), k ≠ y. Weights travel as
one flat vector W of float64, whatever the precision of the network; margins come back as float64. If the map is
homogeneous of degree L then p(cW) = c^L p(W), and Euler's identity ⟨W, ∇p_i(W)⟩ = L p_i(W) holds.

Rows of the Jacobian and the Gram matrix have their place here too; explicit descent needs none of them.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call

Pullback = Callable[[Tensor], Tensor]


class MarginMap(Protocol):
    """What a flow needs of the thing it follows."""

    degree: int | None  # L, or None

    def values(self, weights: Tensor) -> Tensor:
        """Margins (n, K−1), float64, at weights (D,)."""

    def linearize(self, weights: Tensor) -> tuple[Tensor, Pullback]:
        """Margins at `weights` and the map q ↦ Σ q_ik ∇p_ik(W), (n, K−1) → (D,), float64."""


@dataclasses.dataclass(frozen=True)
class Block:
    """A parameter tensor's place in the flat vector."""

    name: str
    shape: tuple[int, ...]
    start: int
    stop: int


@dataclasses.dataclass(frozen=True)
class NetworkMap:
    """The margin map of a network on labelled images.

    images: (n, channels, side, side) in the network's precision; labels: ±1 for one logit, or 0 … K−1.
    chunk: images per forward pass. Where batch statistics couple the examples (`coupled`) the chunks, which are
    fixed, are the batches the statistics are taken over, so that p is still a function of W alone.
    keep: activations are kept for the backward pass for at most this many images, else computed again.
    """

    network: nn.Module
    images: Tensor
    labels: Tensor
    degree: int | None
    coupled: bool = False
    chunk: int = 500
    keep: int = 2000

    def __post_init__(self) -> None:
        self.network.train(self.coupled)

    @property
    def blocks(self) -> list[Block]:
        """The network's parameter tensors, in the order in which the flat vector holds them."""
        found, start = [], 0
        for name, parameter in self.network.named_parameters():
            stop = start + parameter.numel()
            found.append(Block(name, tuple(parameter.shape), start, stop))
            start = stop
        return found

    def flatten(self) -> Tensor:
        """The network's own weights as a flat vector (D,), float64."""
        return torch.cat([p.detach().double().flatten() for p in self.network.parameters()])

    def on(self, images: Tensor, labels: Tensor) -> NetworkMap:
        """The same network's map on other data (of the same kind)."""
        return dataclasses.replace(self, images=images, labels=labels)

    def frozen(self, weights: Tensor) -> NetworkMap:
        """The map with batch statistics fixed at their average over the training chunks at `weights`.

        This is how a network with batch normalization is evaluated on test images. Without batch statistics it is
        the map itself.
        """
        if not self.coupled:
            return self
        network = copy.deepcopy(self.network)
        layers = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum = None  # the cumulative average over all chunks
        with torch.no_grad():
            for images in self.images.split(self.chunk):
                functional_call(network, self._parameters(weights), (images,))
        return dataclasses.replace(self, network=network, coupled=False)

    def values(self, weights: Tensor) -> Tensor:
        """See `MarginMap.values`."""
        with torch.no_grad():
            return torch.cat(self._chunks(weights))

    def linearize(self, weights: Tensor) -> tuple[Tensor, Pullback]:
        """See `MarginMap.linearize`. Costs a forward pass, and a forward and backward pass for each pullback."""
        kept = len(self.images) <= self.keep
        leaf = weights.detach().clone().requires_grad_()
        with torch.set_grad_enabled(kept):
            chunks = self._chunks(leaf)

        def pullback(q: Tensor) -> Tensor:
            parts = q.split(self.chunk)
            if kept:
                return torch.autograd.grad(chunks, leaf, parts, retain_graph=True)[0]
            total = torch.zeros_like(leaf)
            for part, images, labels in zip(
                parts, self.images.split(self.chunk), self.labels.split(self.chunk), strict=True
            ):
                total += torch.autograd.grad(self._margins(self._parameters(leaf), images, labels), leaf, part)[0]
            return total

        return torch.cat(chunks).detach(), pullback

    def _parameters(self, weights: Tensor) -> dict[str, Tensor]:
        weights = weights.to(self.images.dtype)
        return {block.name: weights[block.start : block.stop].view(block.shape) for block in self.blocks}

    def _chunks(self, weights: Tensor) -> list[Tensor]:
        parameters = self._parameters(weights)
        pairs = zip(self.images.split(self.chunk), self.labels.split(self.chunk), strict=True)
        return [self._margins(parameters, images, labels) for images, labels in pairs]

    def _margins(self, parameters: dict[str, Tensor], images: Tensor, labels: Tensor) -> Tensor:
        # running statistics are updated on copies: evaluating the map must not change the network
        buffers = {name: buffer.clone() for name, buffer in self.network.named_buffers()} if self.coupled else {}
        logits = functional_call(self.network, {**parameters, **buffers}, (images,)).double()
        if logits.shape[1] == 1:
            return logits * labels[:, None]
        own = logits.gather(1, labels[:, None])
        others = torch.ones_like(logits, dtype=torch.bool).scatter_(1, labels[:, None], False)
        return (own - logits)[others].view(len(logits), -1)


def error_rate(margins: Tensor) -> float:
    """Share of examples that are not classified correctly: min_k p_ik ≤ 0."""
    return float((margins.amin(1) <= 0).double().mean())


def evaluate(train: NetworkMap, other: NetworkMap, weights: Tensor) -> Tensor:
    """Margins (n, K−1) on `other`'s images, with batch statistics taken from `train`'s."""
    return train.frozen(weights).on(other.images, other.labels).values(weights)


def homogeneity(
    margin_map: MarginMap, weights: Tensor, scales: tuple[float, ...], generator: torch.Generator
) -> list[dict[str, float]]:
    r"""How far a map is from homogeneous: for each c, max_i |p_i(cW) − c^L p_i(W)| / max_i |c^L p_i(W)|.

    Without a degree L the estimate ln(‖p(cW)‖/‖p(W)‖)/ln c stands in for it. W is `weights` with every coordinate
    moved by a tenth of their root mean square, so that parameters which start at exactly zero are seen as well.
    """
    noise = torch.randn(weights.shape, generator=generator, dtype=weights.dtype).to(weights.device)
    weights = weights + 0.1 * weights.square().mean().sqrt() * noise
    base = margin_map.values(weights)
    rows = []
    for scale in scales:
        scaled = margin_map.values(scale * weights)
        ratio = (scaled.norm() / base.norm()).log() / torch.tensor(scale, dtype=torch.float64).log()
        degree = float(ratio) if margin_map.degree is None else float(margin_map.degree)
        expected = scale**degree * base
        rows.append(
            {
                "scale": scale,
                "degree": degree,
                "estimated_degree": float(ratio),
                "deviation": float((scaled - expected).abs().max() / expected.abs().max()),
            }
        )
    return rows
