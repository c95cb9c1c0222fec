"""SGD against torch.optim.SGD on the mean loss of the same batches, and going on from a saved state."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dirconv import losses, training
from dirconv.margins.batch import BatchGradient
from dirconv.margins.network import NetworkMap
from dirconv.options import Train

N = 11


def mean_loss(name, logits, labels):
    """Mean loss of a batch, by torch's own functions or by definition."""
    if name == "logistic":
        return F.softplus(-labels * logits[:, 0]).mean()
    if name == "exponential":
        return torch.exp(-labels * logits[:, 0]).mean()
    return F.cross_entropy(logits, labels)


def network(outputs, normalized=False):
    torch.manual_seed(2)
    middle = [nn.BatchNorm2d(3)] if normalized else []
    layers = [nn.Conv2d(2, 3, 3), *middle, nn.ReLU(), nn.Flatten(), nn.Linear(12, outputs)]
    return nn.Sequential(*layers).double()


def data(outputs, n=N):
    generator = torch.Generator().manual_seed(4)
    x = torch.randn(n, 2, 4, 4, generator=generator, dtype=torch.float64)
    return x, torch.arange(n) % outputs if outputs > 1 else 1.0 - 2.0 * (torch.arange(n) % 2)


def reference(module, x, y, loss, options, seed):
    """The weights after `options.epochs` epochs of torch.optim.SGD."""
    optimizer = torch.optim.SGD(module.parameters(), lr=options.learning_rate, momentum=options.momentum)
    generator = torch.Generator().manual_seed(seed)
    module.train()
    for _ in range(options.epochs):
        order = torch.randperm(len(x), generator=generator).numpy()
        for batch in np.array_split(order, max(1, len(x) // options.batch)):
            optimizer.zero_grad()
            mean_loss(loss, module(x[batch]), y[batch]).backward()
            optimizer.step()
    return torch.cat([p.detach().flatten() for p in module.parameters()])


def last(states):
    *_, state = states
    return state


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize(
    ("loss", "outputs"), [("logistic", 1), ("exponential", 1), ("cross_entropy", 2), ("cross_entropy", 4)]
)
@pytest.mark.parametrize(("batch", "momentum"), [(3, 0.9), (4, 0.0), (100, 0.9)])
def test_epochs_are_those_of_torchs_sgd(loss, outputs, batch, momentum, normalized):
    options = Train(learning_rate=0.05, momentum=momentum, batch=batch, epochs=3)
    x, y = data(outputs)
    found = NetworkMap(network(outputs, normalized), x, y, None, normalized)
    state = last(training.epochs(found, losses.get(loss), options, training.start(found.flatten(), seed=7)))
    assert state.epoch == 3
    expected = reference(network(outputs, normalized), x, y, loss, options, seed=7)
    torch.testing.assert_close(state.weights, expected, rtol=1e-10, atol=1e-12)
    assert (state.weights - found.flatten()).norm() > 0.01


class Linear(nn.Sequential):
    """One weight a pixel, given."""

    def __init__(self, weights):
        super().__init__(nn.Flatten(), nn.Linear(len(weights), 1, bias=False))
        self.double()[1].weight.data[0] = torch.tensor(weights, dtype=torch.float64)


@pytest.mark.parametrize(
    "weights",
    [pytest.param([0.0, 0.0], id="every margin zero"), pytest.param([900.0, -1.0], id="one margin of 900")],
)
def test_extreme_margins_train_as_they_do_in_torch(weights):
    x = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.5, 0.2]], dtype=torch.float64)
    y = torch.ones(3, dtype=torch.float64)
    options = Train(learning_rate=0.1, batch=3, epochs=2)
    found = NetworkMap(Linear(weights), x, y, 1)
    state = last(training.epochs(found, losses.get("logistic"), options, training.start(found.flatten(), seed=0)))
    expected = reference(Linear(weights), x, y, "logistic", options, seed=0)
    torch.testing.assert_close(state.weights, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("normalized", [False, True])
def test_going_on_from_a_saved_state_gives_the_same_bits(normalized):
    options = Train(learning_rate=0.05, batch=3, epochs=5)
    x, y = data(1)
    loss = losses.get("logistic")
    found = NetworkMap(network(1, normalized), x, y, None, normalized)
    whole = list(training.epochs(found, loss, options, training.start(found.flatten(), seed=7)))
    assert [state.epoch for state in whole] == [1, 2, 3, 4, 5]
    saved = training.SgdState(  # as a checkpoint has it: through arrays, and with another network object
        weights=torch.from_numpy(whole[1].weights.numpy().copy()),
        velocity=torch.from_numpy(whole[1].velocity.numpy().copy()),
        epoch=whole[1].epoch,
        random=torch.from_numpy(whole[1].random.numpy().copy()),
    )
    found = NetworkMap(network(1, normalized), x, y, None, normalized)
    rest = list(training.epochs(found, loss, options, saved))
    assert len(rest) == 3
    for first, second in zip(whole[2:], rest, strict=True):
        for field in dataclasses.fields(first):
            a, b = getattr(first, field.name), getattr(second, field.name)
            assert a == b if field.name == "epoch" else torch.equal(a, b)


def test_states_are_not_changed_by_what_follows():
    options = Train(learning_rate=0.1, batch=2, epochs=2)
    found = NetworkMap(network(1), *data(1), None)
    start = training.start(found.flatten(), seed=7)
    weights, random = start.weights.clone(), start.random.clone()
    states = training.epochs(found, losses.get("logistic"), options, start)
    first = next(states)
    kept = first.weights.clone(), first.velocity.clone(), first.random.clone()
    next(states)
    assert torch.equal(start.weights, weights)
    assert torch.equal(start.random, random)
    assert not start.velocity.any()
    assert all(torch.equal(a, b) for a, b in zip(kept, (first.weights, first.velocity, first.random), strict=True))


def test_the_seed_orders_the_examples():
    options = Train(learning_rate=0.1, batch=2, epochs=1)
    found = NetworkMap(network(1), *data(1), None)
    loss = losses.get("logistic")
    ends = [last(training.epochs(found, loss, options, training.start(found.flatten(), s))).weights for s in (1, 1, 2)]
    assert torch.equal(ends[0], ends[1])
    assert not torch.equal(ends[0], ends[2])


def test_every_example_is_seen_once_an_epoch_in_batches_of_almost_equal_size():
    """With a rate too small to change the slopes, an epoch of SGD is its number of batches times a mean gradient."""
    options = Train(learning_rate=1e-9, momentum=0.0, batch=4, epochs=1)
    x, y = data(1, n=12)  # three batches of four
    found = NetworkMap(network(1), x, y, None)
    state = last(training.epochs(found, losses.get("logistic"), options, training.start(found.flatten(), seed=7)))
    module = network(1)
    mean_loss("logistic", module(x), y).backward()
    gradient = torch.cat([p.grad.flatten() for p in module.parameters()])
    moved = (found.flatten() - state.weights) / options.learning_rate
    torch.testing.assert_close(moved, 3 * gradient, rtol=1e-5, atol=1e-6)


def test_no_epoch_is_run_beyond_the_last():
    found = NetworkMap(network(1), *data(1), None)
    start = training.start(found.flatten(), seed=7)
    assert list(training.epochs(found, losses.get("logistic"), Train(epochs=0), start)) == []


def test_separable_data_is_classified():
    """ℒ falls below ℓ(0), where the flow starts: every example is then classified correctly."""
    x = torch.tensor([[2.0, 0.1], [-1.5, 0.3], [1.0, -0.4]], dtype=torch.float64)
    found = NetworkMap(Linear([-1.0, 1.0]), x, torch.tensor([1.0, -1.0, 1.0]).double(), 1)
    loss = losses.get("logistic")
    state = last(training.epochs(found, loss, Train(learning_rate=0.5, epochs=40), training.start(found.flatten(), 0)))
    margins = found.values(state.weights)
    assert float(loss.ln_risk(margins)) < loss.ln_at_zero
    assert margins.min() > 0


@pytest.mark.parametrize("ln_scale", [0.0, -700.0, 3.0])
@pytest.mark.parametrize(("loss", "outputs"), [("logistic", 1), ("exponential", 1), ("cross_entropy", 4)])
def test_a_batch_gradient_is_what_autograd_gives_for_its_mean_loss(loss, outputs, ln_scale):
    x, y = data(outputs)
    found = NetworkMap(network(outputs), x, y, None)
    weights, members = found.flatten(), torch.tensor([7, 2, 5])
    # far along a flow: weights so large that the gradient alone would underflow
    leaf = weights.clone().requires_grad_()
    margins = found.margins(leaf, x[members], y[members])
    (expected,) = torch.autograd.grad(losses.get(loss).ln_risk(margins).exp() / 3, leaf)
    got = BatchGradient(found, losses.get(loss))(weights, members, ln_scale)
    torch.testing.assert_close(got, expected * np.exp(-ln_scale), rtol=1e-9, atol=0)


def test_a_scale_keeps_a_gradient_that_no_floating_point_number_holds():
    x = torch.tensor([[1.0, 0.0], [2.0, 0.0]], dtype=torch.float64)
    found = NetworkMap(Linear([1000.0, 0.0]), x, torch.ones(2, dtype=torch.float64), 1)
    gradient = BatchGradient(found, losses.get("exponential"))
    assert float(gradient(found.flatten(), torch.tensor([0])).norm()) == 0
    assert gradient(found.flatten(), torch.tensor([0]), -1000.0).tolist() == pytest.approx([-1.0, 0.0])


def test_bfloat16_gradients_are_near_and_margins_are_measured_without():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(2, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 1)).float()
    x, y = data(1)
    found = NetworkMap(module, x.float(), y, None)
    exact, near = (
        BatchGradient(found, losses.get("logistic"), arithmetic)(found.flatten(), torch.arange(N))
        for arithmetic in ("float32", "bfloat16")
    )
    assert 1e-5 < float((exact - near).norm() / exact.norm()) < 0.02
    before = found.values(found.flatten())
    list(
        training.epochs(
            found, losses.get("logistic"), Train(arithmetic="bfloat16", epochs=1), training.start(found.flatten(), 0)
        )
    )
    torch.testing.assert_close(found.values(found.flatten()), before, rtol=0, atol=0)
