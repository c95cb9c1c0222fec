"""Rows of the Jacobian of a margin map against autograd, example by example; margins in double precision."""

import copy

import pytest
import torch
from torch import nn

from dirconv.flow.point import ROUNDING
from dirconv.margins.function import FunctionMap
from dirconv.margins.network import NetworkMap
from dirconv.models import alexnet, densenet

N = 9
ALL = torch.arange(N)


def data(outputs, shape, n=N, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, *shape, generator=generator, dtype=torch.float64)
    y = torch.arange(n) % outputs if outputs > 1 else 1.0 - 2.0 * (torch.arange(n) % 2)
    return x, y


class Twice(nn.Module):
    """One convolution and one linear layer, each used twice."""

    def __init__(self):
        super().__init__()
        self.convolution, self.linear, self.last = nn.Conv2d(2, 2, 3, padding=1), nn.Linear(4, 4), nn.Linear(32, 1)

    def forward(self, x):
        x = torch.relu(self.convolution(torch.relu(self.convolution(x))))
        return self.last(torch.tanh(self.linear(self.linear(x))).flatten(1))


class Scaled(nn.Module):
    """A parameter that belongs to no layer of a known kind."""

    def __init__(self):
        super().__init__()
        self.scale, self.linear = nn.Parameter(torch.tensor([1.5, -0.5])), nn.Linear(32, 1)

    def forward(self, x):
        return self.linear((x * self.scale[:, None, None]).tanh().flatten(1))


def stack(first, *layers, outputs=1, hidden=16):
    """Makes a network that ends in a linear layer."""
    return lambda: nn.Sequential(first(), *(layer() for layer in layers), nn.Flatten(), nn.Linear(hidden, outputs))


def convolution(outputs, *sizes, **options):
    return lambda: nn.Conv2d(2, outputs, *sizes, **options)


SMALL = (2, 4, 4)


NETWORKS = {
    "alexnet": (lambda: alexnet.create(alexnet.Spec(width=1 / 16), 3, 1), 1, (3, 32, 32)),
    "alexnet with biases": (lambda: alexnet.create(alexnet.Spec(width=1 / 16, biases=True), 3, 1), 1, (3, 32, 32)),
    "alexnet of three classes": (lambda: alexnet.create(alexnet.Spec(width=1 / 32), 3, 3), 3, (3, 32, 32)),
    "smooth alexnet": (lambda: alexnet.create(alexnet.Spec(width=1 / 16, activation="smooth"), 3, 1), 1, (3, 32, 32)),
    "in place": (stack(convolution(4, 3), lambda: nn.ReLU(inplace=True)), 1, SMALL),
    "shared": (Twice, 1, SMALL),
    "strided": (stack(convolution(3, (3, 2), (2, 1), (1, 0)), outputs=3, hidden=18), 3, SMALL),
    "grouped": (stack(convolution(4, 3, groups=2), nn.Tanh), 1, SMALL),
    "dilated": (stack(convolution(4, 2, dilation=2), nn.Tanh, outputs=3), 3, SMALL),
    "reflected": (stack(convolution(3, 3, padding=1, padding_mode="reflect"), hidden=48), 1, SMALL),
    "a parameter of its own": (Scaled, 1, SMALL),
    "another layer": (stack(convolution(4, 3), lambda: nn.GroupNorm(2, 4), nn.Tanh), 1, SMALL),
    "linear": (stack(nn.Flatten, lambda: nn.Linear(32, 5), nn.ReLU, outputs=3, hidden=5), 3, SMALL),
}


def made(name, **sizes):
    """The map of a network in float64."""
    create, outputs, shape = NETWORKS[name]
    torch.manual_seed(4)
    network = create().double()
    return NetworkMap(network, *data(outputs, shape), None, **sizes)


def direct(found, weights, examples=ALL):
    """Margins and their gradients, by one backward pass for each of them through a plain copy in float64."""
    network = copy.deepcopy(found.network).double().train(False)
    nn.utils.vector_to_parameters(weights, network.parameters())
    margins, rows = [], []
    for i in examples.tolist():
        logits, label = network(found.images[i : i + 1].double())[0], found.labels[i]
        if len(logits) == 1:
            mine = [label.double() * logits[0]]
        else:
            mine = [logits[label] - logits[k] for k in range(len(logits)) if k != label]
        margins.append(torch.stack(mine))
        for margin in mine:
            gradient = torch.autograd.grad(margin, list(network.parameters()), retain_graph=True)
            rows.append(torch.cat([part.flatten() for part in gradient]))
    return torch.stack(margins).detach(), torch.stack(rows)


def close(found, expected, tolerance):
    """Relative to the largest entry."""
    assert found.shape == expected.shape
    assert found.dtype == torch.float64
    assert not found.requires_grad
    assert float((found - expected).abs().max()) <= tolerance * float(expected.abs().max())


def agree(rows, margins, jacobian, tolerance):
    q = torch.randn(margins.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    close(rows.margins, margins, tolerance)
    close(rows.pullback(q), q.flatten() @ jacobian, tolerance)
    gram = rows.gram()
    close(gram, jacobian @ jacobian.T, tolerance)
    close(gram, gram.T, tolerance / 10)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("precise", [False, True])
def test_rows_are_those_of_autograd(name, precise):
    found = made(name)
    weights = found.flatten() + 0.01
    found = found.precise() if precise else found
    agree(found.rows(weights, ALL), *direct(found, weights), 1e-12)


@pytest.mark.parametrize("name", ["alexnet", "alexnet of three classes", "shared", "grouped"])
def test_rows_of_a_network_in_single_precision(name):
    exact = made(name)
    weights = exact.flatten().float().double()
    found = NetworkMap(exact.network.float(), exact.images.float(), exact.labels, None)
    expected = direct(found, weights)
    agree(found.rows(weights, ALL), *expected, 1e-5)
    agree(found.precise().rows(weights, ALL), *expected, 1e-12)


@pytest.mark.parametrize("name", ["alexnet", "alexnet of three classes", "shared", "a parameter of its own"])
def test_rows_of_some_examples_in_their_order(name):
    found = made(name)
    weights = found.flatten()
    some = torch.tensor([7, 2, 3])
    margins, jacobian = direct(found, weights, some)
    agree(found.rows(weights, some), margins, jacobian, 1e-12)
    torch.testing.assert_close(found.values(weights, some), margins, rtol=1e-12, atol=1e-14)
    assert torch.equal(found.values(weights)[some], found.values(weights, ALL)[some])


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("memory", "chunk"), [(0, 500), (1, 2), (1024, 1), (0, 4)])
def test_memory_and_chunk_do_not_matter(name, memory, chunk):
    whole, parts = made(name), made(name, memory=memory, chunk=chunk)
    weights = whole.flatten()
    first, second = whole.rows(weights, ALL), parts.rows(weights, ALL)
    q = torch.ones_like(first.margins)
    close(second.margins, first.margins, 1e-13)
    close(second.pullback(q), first.pullback(q), 1e-12)
    close(second.gram(), first.gram(), 1e-12)


@pytest.fixture(scope="module")
def dense():
    """A DenseNet that batch statistics couple, in float64."""
    torch.manual_seed(0)
    network = densenet.create(densenet.Spec(depth=10, growth=3), 3, 1).double()
    return NetworkMap(network, *data(1, (3, 32, 32)), None, coupled=True, chunk=5)


def test_rows_of_a_densenet_with_frozen_statistics(dense):
    weights = dense.flatten() + 0.01
    frozen = dense.frozen(weights)
    expected = direct(frozen, weights)
    agree(frozen.rows(weights, ALL), *expected, 1e-11)
    agree(frozen.precise().rows(weights, ALL), *expected, 1e-11)


def test_rows_change_nothing_in_the_network():
    found = made("in place")
    before = copy.deepcopy(found.network.state_dict())
    weights = found.flatten()
    given, images = weights.clone(), found.images.clone()
    rows = found.rows(weights, ALL)
    assert torch.equal(rows.gram(), rows.gram())
    rows.pullback(torch.ones_like(rows.margins))
    assert torch.equal(weights, given)
    assert torch.equal(found.images, images)
    assert all(p.grad is None for p in found.network.parameters())
    assert not any(module._forward_hooks for module in found.network.modules())
    for key, value in found.network.state_dict().items():
        assert torch.equal(value, before[key]), key


def test_an_operation_in_place_on_the_output_of_a_layer_is_no_matter():
    class InPlace(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(32, 6), nn.Linear(6, 1)

        def forward(self, x):
            hidden = self.first(x.flatten(1))
            hidden *= 2
            hidden.relu_()
            return self.second(hidden)

    torch.manual_seed(0)
    found = NetworkMap(InPlace().double(), *data(1, SMALL), None)
    weights = found.flatten()
    agree(found.rows(weights, ALL), *direct(found, weights), 1e-12)


# precision


@pytest.mark.parametrize("name", NETWORKS)
def test_precise_margins_are_those_of_a_plain_network_in_double_precision(name):
    exact = made(name)
    weights = exact.flatten() * 1.1
    single = NetworkMap(copy.deepcopy(exact.network).float(), exact.images.float(), exact.labels, None)
    precise = single.precise()
    assert precise.unit == 2.0**-53
    assert single.unit == 2.0**-24
    margins, _ = direct(single, weights)
    values = precise.values(weights)
    torch.testing.assert_close(values, margins, rtol=1e-12, atol=1e-12 * float(margins.abs().max()))
    assert next(single.network.parameters()).dtype == torch.float32  # the map itself is what it was


@pytest.mark.parametrize("width", [1 / 16, 1 / 4])
def test_margins_in_single_precision_are_within_the_resolution(width):
    """The bound that flows stop by, 16 units of roundoff of a margin, where every example is classified correctly."""
    for seed in range(3):
        torch.manual_seed(seed)
        network = alexnet.create(alexnet.Spec(width=width), 3, 1)
        x, y = data(1, (3, 32, 32), n=20, seed=seed)
        found = NetworkMap(network, (x + 0.3 * y[:, None, None, None]).float(), y, 6)
        optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
        while found.values(found.flatten()).min() < 1:
            optimizer.zero_grad()
            nn.functional.softplus(-network(found.images)[:, 0] * y.float()).sum().backward()
            optimizer.step()
        for scale in (1, 3, 30):
            weights = scale * found.flatten()
            single, double = found.values(weights), found.precise().values(weights)
            assert float(((single - double) / double).abs().max()) <= ROUNDING * found.unit


# functions


@pytest.mark.parametrize("outputs", [1, 3])
def test_rows_of_a_function(outputs):
    random = torch.Generator().manual_seed(0)
    z = torch.randn(6, outputs, 4, generator=random, dtype=torch.float64)
    found = FunctionMap(lambda w: (z @ w) ** 3, 3)
    weights = torch.randn(4, generator=random, dtype=torch.float64)
    some = torch.tensor([4, 0, 5])
    p = z @ weights
    jacobian = (3 * p[..., None] ** 2 * z)[some].flatten(0, 1)
    agree(found.rows(weights, some), p[some] ** 3, jacobian, 1e-13)
    assert torch.equal(found.values(weights, some), found.values(weights)[some])
    margins, pullback = found.linearize(weights)
    q = torch.rand(6, outputs, generator=random, dtype=torch.float64)
    torch.testing.assert_close(margins, p**3, rtol=1e-13, atol=0)
    torch.testing.assert_close(pullback(q), (q[..., None] * 3 * p[..., None] ** 2 * z).sum((0, 1)), rtol=1e-12, atol=0)
    assert found.precise() is found
    assert (found.degree, found.unit) == (3, 2.0**-53)
