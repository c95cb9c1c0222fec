"""What the tests share: one thread, and small exact margin maps, written without the project's own map of networks."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

torch.set_num_threads(1)


class ExactMap:
    """The margin map of a function W ↦ p(W), (D,) to (n, K−1), both float64, differentiated by autograd."""

    unit = 2.0**-53

    def __init__(self, function, degree):
        self.function, self.degree = function, degree

    def precise(self):
        return self

    def values(self, weights, examples=None):
        margins = self.function(weights).detach()
        return margins if examples is None else margins[examples]

    def rows(self, weights, examples):
        jacobian = torch.autograd.functional.jacobian(self.function, weights)[examples].flatten(0, 1)
        return SimpleNamespace(
            margins=self.values(weights, examples),
            pullback=lambda q: jacobian.T @ q.flatten(),
            gram=lambda: jacobian @ jacobian.T,
        )

    def linearize(self, weights):
        leaf = weights.detach().clone().requires_grad_()
        margins = self.function(leaf)
        return margins.detach(), lambda q: torch.autograd.grad(margins, leaf, q, retain_graph=True)[0]

    def velocity(self, w):
        """Σ q_i ∇p_i with q the softmin weights of exponential loss: NumPy to NumPy."""
        margins, pullback = self.linearize(torch.from_numpy(w))
        return pullback(torch.softmax(-margins, 0)).numpy()


class LinearMap(ExactMap):
    """p_i = ⟨w, z_i⟩ for the rows z_i = y_i x_i of `rows`, (n, D): degree 1."""

    def __init__(self, rows):
        self.rows = np.asarray(rows, dtype=float)
        z = torch.from_numpy(self.rows)
        super().__init__(lambda w: (z @ w)[:, None], 1)

    def velocity(self, w):
        """The same in closed form, Σ q_i z_i."""
        p = self.rows @ w
        q = np.exp(p.min() - p)
        return q @ self.rows / q.sum()


class SquaredReluMap(ExactMap):
    """p_i = y_i Σ_j a_j relu(⟨w_j, x_i⟩)²: degree 3 in (a, w_1, …), with a Lipschitz gradient."""

    def __init__(self, images, labels, neurons):
        x, y = torch.as_tensor(images), torch.as_tensor(labels)

        def margins(weights):
            outer, inner = weights[:neurons], weights[neurons:].view(neurons, -1)
            return (y * (torch.relu(x @ inner.T).square() @ outer))[:, None]

        super().__init__(margins, 3)


@pytest.fixture(scope="session")
def exact_map():
    return ExactMap


@pytest.fixture(scope="session")
def linear_map():
    return LinearMap


@pytest.fixture(scope="session")
def squared_relu():
    """A map of degree 3 on 6 examples of 2 coordinates, and weights at which ℒ < 1."""
    random = np.random.default_rng(5)
    images = random.normal(size=(6, 2)) + np.array([[1.5, 0.0]] * 3 + [[-1.5, 0.3]] * 3)
    labels = np.array([1.0] * 3 + [-1.0] * 3)
    outer, inner = [1.0, -1.2, 0.6], [[1.4, 0.3], [-1.3, 0.5], [0.9, -0.8]]
    weights = torch.tensor([*outer, *np.ravel(inner)], dtype=torch.float64)
    found = SquaredReluMap(images, labels, 3)
    assert found.values(weights).min() > 0
    return found, 1.5 * weights
