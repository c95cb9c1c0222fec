"""Rows of the Jacobian where batch statistics couple the examples: through the whole chunk, exactly."""

import copy

import pytest
import torch
from pretended import pretended
from torch import nn
from torch.func import functional_call, jacrev

from dirconv.margins._coupled import DenseRows
from dirconv.margins.network import NetworkMap
from dirconv.models import densenet

N, CHUNK = 9, 4  # chunks of 4, 4 and 1; the last has no batch statistics of its own but over positions
ALL = torch.arange(N)


def dense(outputs):
    return densenet.create(densenet.Spec(depth=10, growth=3), 3, outputs)


def smooth(outputs):
    """Without ReLUs, so that differences converge; and with so small an ε that scale is no matter."""
    layers = [nn.Conv2d(3, 4, 3, stride=8, bias=False), nn.BatchNorm2d(4, eps=1e-14), nn.Tanh()]
    layers += [nn.Conv2d(4, 3, 2, bias=False), nn.BatchNorm2d(3), nn.Tanh(), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(27, outputs))


def made(create, outputs=1, dtype=torch.float64, **sizes):
    torch.manual_seed(0)
    network = create(outputs).to(dtype)
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(N, 3, 32, 32, generator=generator, dtype=torch.float64).to(dtype)
    labels = ALL % outputs if outputs > 1 else 1.0 - 2.0 * (ALL % 2)
    return NetworkMap(network, images, labels, None, coupled=True, **{"chunk": CHUNK, **sizes})


def direct(found, weights):
    """Margins and Jacobian by `jacrev` through a plain copy that tracks no statistics: (n, K−1), (n (K−1), D)."""
    network = copy.deepcopy(found.network).double().train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.track_running_stats, module.running_mean, module.running_var = False, None, None
            module.num_batches_tracked = None
    names = {name: p.shape for name, p in network.named_parameters()}

    def margins(flat, images, labels):
        parts = flat.split([shape.numel() for shape in names.values()])
        given = {name: part.view(names[name]) for name, part in zip(names, parts, strict=True)}
        logits = functional_call(network, given, (images.double(),))
        if logits.shape[1] == 1:
            return logits * labels[:, None]
        return torch.stack(
            [
                torch.stack([row[y] - row[k] for k in range(len(row)) if k != y])
                for row, y in zip(logits, labels.tolist(), strict=True)
            ]
        )

    pairs = list(zip(found.images.split(found.chunk), found.labels.split(found.chunk), strict=True))
    values = torch.cat([margins(weights, *pair) for pair in pairs])
    return values.detach(), torch.cat(
        [jacrev(margins, chunk_size=1)(weights, *pair).flatten(0, 1) for pair in pairs]
    ).detach()


def close(found, expected, tolerance=1e-12):
    """Relative to the largest entry."""
    assert found.shape == expected.shape and found.dtype == torch.float64 and not found.requires_grad
    assert float((found - expected).abs().max()) <= tolerance * float(expected.abs().max())


MAPS = {"densenet": (dense, 1), "densenet of three classes": (dense, 3), "smooth": (smooth, 1)}


@pytest.fixture(scope="module", params=MAPS)
def case(request):
    """A map, weights that are not its own, and what `jacrev` finds there."""
    found = made(*MAPS[request.param])
    weights = found.flatten() * 1.1 + 0.01
    return found, weights, *direct(found, weights)


@pytest.mark.parametrize("precise", [False, True])
def test_rows_are_those_of_jacrev(case, precise):
    found, weights, margins, jacobian = case
    rows = (found.precise() if precise else found).rows(weights, ALL)
    close(rows.margins, margins)
    close(rows.jacobian, jacobian, 1e-11)
    close(rows.gram(), jacobian @ jacobian.T, 1e-11)


def test_rows_of_some_examples_in_their_order(case):
    found, weights, margins, jacobian = case
    some = torch.tensor([7, 2, 8, 2, 3])
    rows, other = found.rows(weights, some), found.rows(weights, some[:2])
    expected = jacobian.view(N, -1, jacobian.shape[1])[some].flatten(0, 1)
    close(rows.margins, margins[some])
    close(rows.jacobian, expected, 1e-11)
    close(found.values(weights, some), margins[some])
    close(rows.cross(other), expected @ expected[: other.margins.numel()].T, 1e-11)


def test_a_sum_of_rows_is_the_pullback_of_linearize(case):
    found, weights, margins, _ = case
    q = torch.randn(margins.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    rows, (values, pullback) = found.rows(weights, ALL), found.linearize(weights)
    close(rows.margins, values)
    close(rows.pullback(q), pullback(q), 1e-11)


@pytest.mark.parametrize(("create", "outputs", "tolerance"), [(smooth, 1, 1e-9), (smooth, 3, 1e-9), (dense, 1, 1e-6)])
def test_a_push_is_the_derivative_of_the_margins(create, outputs, tolerance):
    """Central differences, of fourth order, along directions in which the whole chunk takes part."""
    found = made(create, outputs)
    weights = found.flatten()
    rows = found.rows(weights, ALL)
    for seed in range(3):
        x = torch.randn(len(weights), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        h = 1e-3 / float(x.norm()) if create is smooth else 1e-6 / float(x.norm())
        one, two = (found.values(weights + k * h * x) - found.values(weights - k * h * x) for k in (1, 2))
        close(rows.push(x), ((8 * one - two) / (12 * h)).flatten(), tolerance)


def test_rows_have_nothing_along_weights_whose_scale_is_normalized_away():
    """p(…, c V, …) = p(…, V, …) for the convolution V before a normalization (ε is 10⁻¹⁴): ⟨V, ∂p_ik/∂V⟩ = 0.

    It is the statistics that bring this about: with them fixed the product is that of a layer of degree one.
    """
    found = made(smooth, 3)
    weights = found.flatten()
    block = found.blocks[0]
    held = slice(block.start, block.stop)

    def along(rows):
        return (rows[:, held] @ weights[held]).abs().max() / rows[:, held].norm(dim=1).max()

    assert float(along(found.rows(weights, ALL).jacobian)) < 1e-12
    apart = found.frozen(weights)
    assert float(along(direct_of_frozen(apart, weights))) > 0.01


def direct_of_frozen(found, weights):
    leaf = weights.clone().requires_grad_()
    margins = found.margins(leaf, found.images, found.labels).flatten()
    return torch.stack([torch.autograd.grad(margin, leaf, retain_graph=True)[0] for margin in margins])


def test_only_the_chunks_of_the_examples_are_computed():
    found = made(smooth)
    weights = found.flatten()
    images = found.images.clone()
    images[CHUNK:] = float("nan")
    some = torch.tensor([3, 1])
    rows = found.on(images, found.labels).rows(weights, some)
    assert torch.equal(rows.jacobian, found.rows(weights, some).jacobian)


@pytest.mark.parametrize("memory", [0, 1])
def test_memory_does_not_matter(memory):
    exact = made(dense)
    weights = exact.flatten()
    whole, parts = (exact.rows(weights, ALL), made(dense, memory=memory).rows(weights, ALL))
    assert parts.memory == memory
    x, q = weights.cos(), whole.margins.cos()
    close(parts.gram(), whole.gram())
    close(parts.cross(whole), whole.gram())
    close(parts.push(x), whole.push(x))
    close(parts.pullback(q), whole.pullback(q))


def test_products_of_rows_in_single_precision_are_summed_in_double_precision():
    """Two rows whose inner product, 10⁻⁸, is lost in float32 next to its terms ±1."""
    jacobian = torch.tensor([[1.0, 1.0, 1e-4], [1.0, -1.0, 1e-4]])
    exact = jacobian.double()
    rows = DenseRows(torch.zeros(2, 1, dtype=torch.float64), jacobian)
    assert torch.equal(rows.gram(), exact @ exact.T) and 0.99e-8 < float(rows.gram()[0, 1]) < 1.01e-8
    x = torch.tensor([1.0, -1.0, 1e-4], dtype=torch.float64)
    assert torch.equal(rows.push(x), exact @ x)
    assert rows.pullback(rows.margins).dtype == torch.float64


def test_rows_of_a_network_in_single_precision():
    found = made(dense, dtype=torch.float32)
    weights = found.flatten() * 1.1
    margins, jacobian = direct(found, weights.float().double())
    rows = found.rows(weights, ALL)
    assert rows.jacobian.dtype == torch.float32
    close(rows.margins, margins, 1e-4)
    close(rows.jacobian.double(), jacobian, 1e-4)
    precise = found.precise()
    margins, jacobian = direct(found, weights)
    assert precise.coupled and precise.unit == 2.0**-53
    close(precise.values(weights), margins)
    close(precise.rows(weights, ALL).jacobian, jacobian, 1e-11)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_margins_depend_on_the_weights_alone_and_not_on_what_was_computed_before(dtype):
    found = made(dense, dtype=dtype)
    before = copy.deepcopy(found.network.state_dict())
    weights = found.flatten() * 1.1
    precise = found.precise()
    first, rows = precise.values(weights), found.rows(weights, ALL)
    for other in (3 * weights, weights.cos(), weights):
        precise.values(other), found.values(other), found.rows(other, ALL[:5]), precise.linearize(other)
    assert torch.equal(precise.values(weights), first) and torch.equal(found.precise().values(weights), first)
    again = found.rows(weights, ALL)
    assert torch.equal(again.jacobian, rows.jacobian) and torch.equal(again.margins, found.values(weights))
    assert all(p.grad is None for p in found.network.parameters())
    for name, value in found.network.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize("outputs", [1, 3])
def test_rows_stay_where_the_gpu_is(outputs):
    here = made(smooth, outputs)
    weights, some = here.flatten(), torch.tensor([7, 2])
    expected = here.rows(weights, some)
    with pretended() as gpu:
        there = NetworkMap(
            here.network.to("cuda"), here.images.to("cuda"), here.labels.to("cuda"), None, coupled=True, chunk=CHUNK
        )
        before = gpu.waits
        rows = there.rows(weights.to("cuda"), some.to("cuda"))
        assert gpu.waits == before  # no row waits for the one before it
        found = [rows.jacobian, rows.margins, rows.gram(), rows.cross(rows), rows.push(weights.to("cuda"))]
        found += [rows.pullback(rows.margins), there.values(weights.to("cuda"), some.to("cuda"))]
        assert all(tensor.is_cuda for tensor in found)
        close(found[0].cpu(), expected.jacobian)
        close(found[2].cpu(), expected.gram())
