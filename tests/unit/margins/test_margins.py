"""The margin map of a network against direct computations: margins, pullback, chunks, batch statistics."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from dirconv.margins import error_rate
from dirconv.margins.network import NetworkMap, evaluate

N = 7


def data(outputs, n=N, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 2, 4, 4, generator=generator, dtype=torch.float64)
    y = torch.arange(n) % outputs if outputs > 1 else 1.0 - 2.0 * (torch.arange(n) % 2)
    return x, y


def plain(outputs, normalized=False, seed=3):
    """A small network in float64; with `normalized`, one that batch statistics couple."""
    torch.manual_seed(seed)
    middle = [nn.BatchNorm2d(3)] if normalized else []
    layers = [nn.Conv2d(2, 3, 3), *middle, nn.Tanh(), nn.Flatten(), nn.Linear(12, outputs)]
    return nn.Sequential(*layers).double()


def made(outputs=1, normalized=False, n=N, **sizes):
    x, y = data(outputs, n)
    return NetworkMap(plain(outputs, normalized), x, y, None, normalized, **sizes)


def direct(network, x, y):
    """Margins by their definition, example by example, with the graph to the network's own parameters."""
    logits = network(x)
    if logits.shape[1] == 1:
        return torch.stack([label * logit for label, logit in zip(y, logits, strict=True)])
    others = range(logits.shape[1])
    return torch.stack([torch.stack([logits[i, t] - logits[i, k] for k in others if k != t]) for i, t in enumerate(y)])


@pytest.mark.parametrize("outputs", [1, 2, 4])
@pytest.mark.parametrize("keep", [0, 100])
@pytest.mark.parametrize("normalized", [False, True])
def test_margins_and_pullback_are_those_of_a_direct_computation(outputs, keep, normalized):
    found = made(outputs, normalized, keep=keep)
    margins, pullback = found.linearize(found.flatten())
    network = plain(outputs, normalized).train(normalized)
    expected = direct(network, *data(outputs))
    q = torch.from_numpy(np.random.default_rng(1).normal(size=tuple(expected.shape)))
    gradients = torch.autograd.grad((q * expected).sum(), list(network.parameters()))
    torch.testing.assert_close(margins, expected.detach(), rtol=1e-13, atol=1e-14)
    torch.testing.assert_close(
        pullback(q), torch.cat([g.flatten() for g in gradients]).detach(), rtol=1e-12, atol=1e-13
    )
    assert torch.equal(found.values(found.flatten()), margins)
    assert margins.shape == (N, max(1, outputs - 1))
    assert not margins.requires_grad


def test_weights_are_a_function_argument_not_the_networks_own():
    found = made(1)
    weights = found.flatten() + torch.linspace(-1, 1, len(found.flatten()), dtype=torch.float64)
    network = plain(1)
    nn.utils.vector_to_parameters(weights, network.parameters())
    torch.testing.assert_close(found.values(weights), direct(network, *data(1)).detach(), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("keep", [0, 100])
@pytest.mark.parametrize("chunk", [1, 3, 7])
def test_chunks_do_not_matter_without_batch_statistics(chunk, keep):
    whole, parts = made(4, keep=100), made(4, chunk=chunk, keep=keep)
    weights = whole.flatten()
    q = torch.rand(N, 3, dtype=torch.float64)
    (margins, pullback), (margins_parts, pullback_parts) = whole.linearize(weights), parts.linearize(weights)
    torch.testing.assert_close(margins_parts, margins, rtol=1e-14, atol=1e-15)
    torch.testing.assert_close(pullback_parts(q), pullback(q), rtol=1e-13, atol=1e-14)


def test_chunks_are_the_batches_of_batch_statistics():
    whole, parts = made(1, True), made(1, True, chunk=4)
    weights = whole.flatten()
    x, y = data(1)
    network = plain(1, True).train()
    expected = torch.cat([direct(network, x[:4], y[:4]), direct(network, x[4:], y[4:])]).detach()
    torch.testing.assert_close(parts.values(weights), expected, rtol=1e-13, atol=1e-14)
    assert (parts.values(weights) - whole.values(weights)).abs().max() > 1e-3


@pytest.mark.parametrize("normalized", [False, True])
def test_keeping_activations_and_computing_them_again_are_the_same(normalized):
    kept, again = made(1, normalized, keep=N), made(1, normalized, keep=N - 1)
    weights = kept.flatten()
    q = torch.rand(N, 1, dtype=torch.float64)
    (margins, pullback), (margins_again, pullback_again) = kept.linearize(weights), again.linearize(weights)
    assert torch.equal(margins, margins_again)
    assert torch.equal(pullback(q), pullback_again(q))


@pytest.mark.parametrize("keep", [0, 100])
def test_a_pullback_can_be_used_more_than_once(keep):
    found = made(1, keep=keep, chunk=3)
    _, pullback = found.linearize(found.flatten())
    q = torch.rand(N, 1, dtype=torch.float64)
    assert torch.equal(pullback(q), pullback(q))
    torch.testing.assert_close(pullback(3 * q), 3 * pullback(q), rtol=1e-13, atol=1e-14)


def test_single_precision_networks_take_and_give_double():
    x, y = data(1)
    found = NetworkMap(plain(1).float(), x.float(), y, None)
    weights = found.flatten()
    margins, pullback = found.linearize(weights)
    velocity = pullback(torch.ones(N, 1, dtype=torch.float64))
    assert weights.dtype == margins.dtype == velocity.dtype == torch.float64
    exact = made(1)
    torch.testing.assert_close(margins, exact.values(exact.flatten()), rtol=1e-4, atol=1e-5)


def test_blocks_are_the_parameters_in_the_order_of_the_flat_vector():
    found = made(4, True)
    weights = found.flatten()
    state = dict(found.network.named_parameters())
    assert [block.name for block in found.blocks] == list(state)
    assert found.blocks[0].start == 0
    assert found.blocks[-1].stop == len(weights)
    for block in found.blocks:
        assert torch.equal(weights[block.start : block.stop].view(block.shape), state[block.name].detach())


@pytest.mark.parametrize("normalized", [False, True])
def test_evaluating_changes_nothing_in_the_network(normalized):
    found = made(1, normalized, chunk=3)
    before = copy.deepcopy(found.network.state_dict())
    weights = found.flatten() + 0.3
    given = weights.clone()
    found.values(weights)
    _, pullback = found.linearize(weights)
    pullback(torch.ones(N, 1, dtype=torch.float64))
    found.frozen(weights).values(weights)
    evaluate(found, found.on(*data(1, n=3, seed=9)), weights)
    margins, fixed = found.settled(weights)
    assert torch.equal(margins, found.values(weights))
    assert torch.equal(fixed.values(weights), found.frozen(weights).values(weights))
    assert torch.equal(weights, given)
    assert all(p.grad is None for p in found.network.parameters())
    for name, value in found.network.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_frozen_statistics_are_the_average_over_the_chunks():
    found = made(1, True, n=8, chunk=4)
    weights = found.flatten()
    x, _ = data(1, 8)
    convolution, normalization, *rest = plain(1, True)
    z = convolution(x).detach()
    chunks = z.split(4)
    mean = torch.stack([c.mean((0, 2, 3)) for c in chunks]).mean(0)
    variance = torch.stack([c.var((0, 2, 3)) for c in chunks]).mean(0)
    other, labels = data(1, n=5, seed=9)
    z = (convolution(other) - mean[:, None, None]) / (variance + normalization.eps).sqrt()[:, None, None]
    expected = nn.Sequential(*rest)(z) * labels[:, None]
    margins = evaluate(found, found.on(other, labels), weights)
    torch.testing.assert_close(margins, expected.detach(), rtol=1e-12, atol=1e-13)
    frozen = found.frozen(weights)
    assert not frozen.coupled
    one_by_one = torch.cat([frozen.on(other[i : i + 1], labels[i : i + 1]).values(weights) for i in range(5)])
    torch.testing.assert_close(one_by_one, margins, rtol=1e-12, atol=1e-13)


def test_frozen_statistics_belong_to_the_weights_and_only_to_them():
    found = made(1, True, chunk=4)
    first = found.flatten()
    other = data(1, n=5, seed=9)
    expected = evaluate(found, found.on(*other), first)
    moved = evaluate(found, found.on(*other), first + 0.5)
    assert (moved - expected).abs().max() > 1e-3
    assert torch.equal(evaluate(found, found.on(*other), first), expected)


def test_without_batch_statistics_freezing_is_the_map_itself():
    found = made(1)
    assert found.frozen(found.flatten()) is found


def test_error_rate_counts_examples_whose_least_margin_is_not_positive():
    assert error_rate(torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.0, 4.0], [5.0, 1e-30]]).double()) == 0.5
