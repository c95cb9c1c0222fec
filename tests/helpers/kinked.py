"""Small networks with kinks on one example, and piecewise linear margins on two, whose flow is known in closed form."""

import dataclasses
import math

import numpy as np
import torch
from torch import nn

from dirconv.margins import MarginMap
from dirconv.margins.function import FunctionMap
from dirconv.margins.network import NetworkMap
from dirconv.oracles import sliding


@dataclasses.dataclass(frozen=True)
class Problem:
    """A margin map, where its flow starts, and the exact path; `kinks` are the normals of its hyperplanes."""

    map: MarginMap
    start: torch.Tensor
    path: sliding.Path
    tau: float  # how far the path is known
    kinks: np.ndarray  # (m, D)

    @property
    def begins(self):
        """The τ at which phases begin, after the first."""
        return self.path.begins[1:]


def network(x, label, *layers):
    """The map of conv 1 × 1 of d channels and `layers` on positions x (k, d) as one image (d, 1, k)."""
    module = nn.Sequential(nn.Conv2d(x.shape[1], 1, 1, bias=False), *layers).double()
    image = torch.from_numpy(x.T.copy())[None, :, None, :]
    return NetworkMap(module, image, torch.tensor([float(label)], dtype=torch.float64), 2)


def rectified(x):
    """p = Σ_k b_k max(0, ⟨w, x_k⟩), W = (w, b)."""
    return network(x, 1, nn.ReLU(), nn.Flatten(), nn.Linear(len(x), 1, bias=False))


def pooled(x, label):
    """p = y a max(⟨w, x_1⟩, ⟨w, x_2⟩), W = (w, a)."""
    return network(x, label, nn.MaxPool2d((1, 2)), nn.Flatten(), nn.Linear(1, 1, bias=False))


def positions(x, start, tau, *phases):
    start = np.array(start)
    kinks = np.stack([sliding.kink(x, j) for j in range(len(x))])
    return Problem(rectified(x), torch.from_numpy(start), sliding.joined(start, *phases), tau, kinks)


def held_and_released():
    """A unit is pushed on by one position and off by its own negative output: it stays at its kink until that is weak.

    It is released without a jump of the velocity.
    """
    x = np.array([[1.0, 0.4, 0.2], [0.7, -0.5, 0.6]])
    start = [0.4, 0.8, 0.1, 0.6, -0.65]
    return positions(
        x, start, 0.8,
        (sliding.relu_phase(x, (0,)), sliding.kink(x, 1)),
        (sliding.relu_phase(x, (0,), (1,)), sliding.release(x, (0,), 1)),
        (sliding.relu_phase(x, (0, 1)), None),
    )  # fmt: skip


def two_held():
    """The flow slides on one kink, reaches another from its active side, and slides on both."""
    x = np.array([[0.2, 0.7, 0.5], [1.0, 1.0, -1.0], [0.6, -0.7, 1.1]])
    start = [0.0, 0.7, 0.9, 0.8, -0.9, -1.0]
    return positions(
        x, start, 0.35,
        (sliding.relu_phase(x, (0, 2)), sliding.kink(x, 1)),
        (sliding.relu_phase(x, (0, 2), (1,)), sliding.kink(x, 2)),
        (sliding.relu_phase(x, (0,), (1, 2)), None),
    )  # fmt: skip


def switched_on():
    """A unit with a positive output is pushed on and stays on: the kink is convex, the velocity jumps."""
    x = np.array([[1.0, 0.4, 0.2], [0.7, -0.5, 0.6]])
    start = [0.4, 0.8, 0.1, 0.6, 0.7]
    return positions(
        x, start, 0.8, (sliding.relu_phase(x, (0,)), sliding.kink(x, 1)), (sliding.relu_phase(x, (0, 1)), None)
    )


def pool_held():
    """−a max(⟨w, x_1⟩, ⟨w, x_2⟩) on an example of label −1: the two are made equal and stay so."""
    x = np.array([[-1.0, 0.3, 0.2], [-0.4, -0.9, 0.5]])
    start = np.array([0.9, 0.7, 0.2, 0.8])
    path = sliding.joined(
        start, (sliding.pool_phase(x, -1, 0), sliding.tie(x)), (sliding.pool_phase(x, -1, 0, held=True), None)
    )
    return Problem(pooled(x, -1), torch.from_numpy(start), path, 0.8, sliding.tie(x)[None])


def pool_crossed():
    """a max(⟨w, x_1⟩, ⟨w, x_2⟩), label +1: the second overtakes the first and pulls away, the velocity jumps."""
    x = np.array([[0.6, 0.3, 0.2], [1.2, 1.1, -0.3]])
    start = np.array([0.9, -0.6, 0.3, 0.8])
    path = sliding.joined(start, (sliding.pool_phase(x, 1, 0), sliding.tie(x)), (sliding.pool_phase(x, 1, 1), None))
    return Problem(pooled(x, 1), torch.from_numpy(start), path, 0.8, sliding.tie(x)[None])


ROWS = np.array([[1.0, 0.1, -0.3, 0.2], [-0.2, 1.2, 0.1, 0.3], [0.3, -0.4, 1.1, 0.1]])


def ties_and_a_kink(ln_norm=40.0):
    """Two examples, min(⟨z_1, W⟩, ⟨z_2, W⟩) and ⟨z_3, W⟩, degree one: a kink is met, then the other example's margin.

    ‖W₀‖ = e^ln_norm makes the limit of the smallest margin exact to e^(−ln_norm/2).
    """
    start = np.array([1.0, 1.2, 2.0, -0.4])
    start *= math.exp(ln_norm) / np.linalg.norm(start)
    z = torch.from_numpy(ROWS)
    found = FunctionMap(lambda w: torch.stack([torch.minimum(z[0] @ w, z[1] @ w), z[2] @ w])[:, None], 1)
    kinks = np.stack([ROWS[0] - ROWS[1], ROWS[0] - ROWS[2], ROWS[1] - ROWS[2]])
    return Problem(found, torch.from_numpy(start), sliding.smallest_of_linear(ROWS, start), 1.2, kinks)


PROBLEMS = {
    made.__name__: made for made in (held_and_released, two_held, switched_on, pool_held, pool_crossed, ties_and_a_kink)
}
