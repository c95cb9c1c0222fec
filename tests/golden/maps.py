"""Inputs of golden runs: margin maps and weights that do not go through the code under test, drawn by NumPy.

torch's generators differ in the last digits of float32 between CPUs; NumPy's do not.
"""

from __future__ import annotations

import functools

import adapt
import numpy as np
import torch
from torch import Tensor, nn


def normal(seed: int, *shape: int) -> Tensor:
    """Standard normal numbers, float64."""
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def weights_for(margin_map, seed: int = 0) -> Tensor:
    """He-normal weights for a network's map, offsets and scales near 0 and 1: flat, float64."""
    random = np.random.default_rng(seed)
    parts = []
    for block in margin_map.blocks:
        value = random.normal(size=block.shape)
        if len(block.shape) > 1:
            value *= np.sqrt(2 / np.prod(block.shape[1:]))
        else:
            value = 0.1 * value + (1.0 if block.name.endswith("weight") else 0.0)
        parts.append(value.ravel())
    return torch.from_numpy(np.concatenate(parts))


def entries(values: Tensor, count: int = 5) -> list[float]:
    """A few entries of a tensor, evenly spread."""
    flat = values.detach().double().flatten()
    return flat[torch.linspace(0, len(flat) - 1, count).round().long()].tolist()


def smooth():
    """A homogeneous, smooth map of degree 3 on 8 examples, and weights (36,) with margins from 1 on.

    p_i(U) = y_i Σ_r ∏_m ⟨u_rm, x_im⟩ with three factors of four coordinates and rank 3.
    """
    x, start = normal(1, 8, 3, 4), normal(2, 36)

    def outputs(flat: Tensor) -> Tensor:
        return torch.einsum("rmd,imd->irm", flat.view(3, 3, 4), x).prod(-1).sum(-1)

    y = outputs(start).sign()
    start = start * float(outputs(start).abs().min()) ** (-1 / 3)
    return adapt.function_map(lambda flat: (y * outputs(flat))[:, None], 3), start


def linear():
    """Margins ⟨w, z_i⟩ of 6 examples, and weights (3,) at which ℒ < ℓ(0)."""
    z = normal(10, 6, 3) * torch.tensor([0.2, 1.0, 1.0]) + torch.tensor([1.0, 0.0, 0.0])
    return adapt.function_map(lambda w: (z @ w)[:, None], 1), torch.tensor([4.0, 0.5, -0.5], dtype=torch.float64)


def inhomogeneous():
    """A smooth map without a degree on 6 examples, W₂ tanh(W₁ x) + b, and weights (17,) with positive margins."""
    x, start = normal(3, 6, 3), normal(4, 17)

    def outputs(flat: Tensor) -> Tensor:
        return torch.tanh(x @ flat[:12].view(4, 3).T) @ flat[12:16] + flat[16]

    y = outputs(start).sign()
    start = torch.cat([start[:12], 3 * start[12:]])
    return adapt.function_map(lambda flat: (y * outputs(flat))[:, None], None), start


def convolutional(channels: int = 12, outputs: int = 1) -> nn.Sequential:
    """A small network of degree 2 for images of 8×8 with one channel."""
    return nn.Sequential(
        nn.Conv2d(1, channels, 3, padding=1, bias=False),
        nn.ReLU(),
        nn.MaxPool2d(4),
        nn.Flatten(),
        nn.Linear(4 * channels, outputs, bias=False),
    )


@functools.cache
def digits(count: int, skip: int = 0) -> tuple[Tensor, Tensor]:
    """Handwritten zeros and ones: images (count, 1, 8, 8) in [0, 1], float64, and labels ±1."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    chosen = np.flatnonzero(bunch.target < 2)[skip : skip + count]
    images = torch.from_numpy(bunch.images[chosen][:, None] / 16.0)
    return images, torch.from_numpy(np.where(bunch.target[chosen] == 1, 1.0, -1.0))


def on_digits(dtype: torch.dtype = torch.float64, margin: float = 4.0):
    """The small network on 20 digits, and weights at which every example has this margin: ℒ < ℓ(0)."""
    images, labels = digits(20)
    margin_map = adapt.network_map(convolutional().to(dtype), images.to(dtype), labels, 2)
    convolution = normal(5, 12 * 9) * (2 / 9) ** 0.5
    with torch.no_grad():
        network = convolutional().double()
        network[0].weight.copy_(convolution.view(12, 1, 3, 3))
        features = network[:-1](images)
    last = torch.linalg.lstsq(features, margin * labels[:, None], driver="gelsd").solution.flatten()
    balance = (last.norm() / convolution.norm()).sqrt()
    return margin_map, torch.cat([convolution * balance, last / balance])


def three_classes(dtype: torch.dtype = torch.float64, count: int = 10):
    """A network with three outputs on random images, and weights."""
    images = normal(6, count, 1, 8, 8).to(dtype)
    labels = torch.arange(count) % 3
    margin_map = adapt.network_map(convolutional(4, 3).to(dtype), images, labels, 2)
    return margin_map, weights_for(margin_map, 7)


def normalized(dtype: torch.dtype = torch.float64, chunk: int = 5):
    """A network with batch normalization, its 10 examples in two chunks, and weights."""
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(256, 1)
    ).to(dtype)
    images, labels = normal(8, 10, 1, 8, 8).to(dtype), (-1.0) ** torch.arange(10, dtype=torch.float64)
    margin_map = adapt.network_map(network, images, labels, None, coupled=True, chunk=chunk)
    return margin_map, weights_for(margin_map, 9)
