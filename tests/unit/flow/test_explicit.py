"""Explicit methods against hand-written loops, a library's solution of the flow, and the orders they must have."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from torch import nn

from dirconv import flow, losses
from dirconv.errors import UserError
from dirconv.flow.methods import dopri5, gradient_descent, rk4, sgd
from dirconv.goals import Stop, StopReason
from dirconv.margins.network import NetworkMap

EXPONENTIAL = losses.get("exponential")
ROWS = np.array([[1.0, 0.2, 0.3], [0.3, 1.1, -0.2], [0.5, 0.4, 1.3], [1.4, -0.3, 0.6]])
START = torch.tensor([0.9, 6.0, 1.8], dtype=torch.float64)


def steps(method, found, start, count, loss=EXPONENTIAL, state=None, **options):
    """The start and so many steps, each as it is shown first."""
    state = flow.State.at_start(start.clone()) if state is None else state
    shown = itertools.groupby(method.steps(found, loss, method.Spec(**options), state), lambda step: step.state.step)
    return [next(times) for _, times in itertools.islice(shown, count + 1)]


def reference(found, start, length):
    """W where the path's length relative to ‖W‖ is that, from dW/ds = −‖W‖ ∇ℒ/‖∇ℒ‖ at rtol 1e-12."""

    def velocity(_, w):
        v = found.velocity(w)
        return np.linalg.norm(w) / np.linalg.norm(v) * v

    return solve_ivp(velocity, (0, length), start.numpy(), method="DOP853", rtol=1e-12, atol=1e-13).y[:, -1]


def resumed(method, found, loss, taken, at, **options):
    """The steps after `at`, from a state that went through NumPy."""
    return steps(method, found, None, len(taken) - 1 - at, loss, copied(taken[at].state), **options)[1:]


def copied(state):
    """The state as a checkpoint brings it back."""
    memory = {name: torch.from_numpy(value.numpy().copy()) for name, value in state.memory.items()}
    return dataclasses.replace(state, weights=torch.from_numpy(state.weights.numpy().copy()), memory=memory)


def same(first, second):
    """Whether two steps are equal to the last bit."""

    def bits(step):
        values = [getattr(step, f.name) for f in dataclasses.fields(flow.Step) if f.name != "state"]
        values += [getattr(step.state, f.name) for f in dataclasses.fields(flow.State) if f.type not in ("Tensor",)]
        return [repr(value) for value in values if not isinstance(value, dict)]

    return bits(first) == bits(second) and torch.equal(first.state.weights, second.state.weights)


@pytest.fixture(params=["linear", "squared_relu"])
def smooth(request, linear_map, squared_relu):
    return (linear_map(ROWS), START) if request.param == "linear" else squared_relu


@pytest.mark.parametrize(
    ("method", "options", "evaluations"),
    [
        (gradient_descent, {"learning_rate": 0.1}, 1),
        (rk4, {"step": 0.02}, 4),
        (dopri5, {"segment": 0.02}, None),
    ],
)
def test_going_on_from_a_state_gives_the_same_bits(smooth, method, options, evaluations):
    found, start = smooth
    taken = steps(method, found, start, 12, **options)
    for at in (0, 5):
        rest = resumed(method, found, EXPONENTIAL, taken, at, **options)
        assert len(rest) == 12 - at
        for first, second in zip(taken[at + 1 :], rest, strict=True):
            assert same(first, second)
    counts = np.diff([step.state.evaluations for step in taken])
    assert (counts == evaluations).all() if evaluations else (counts > 6).all()
    assert [step.state.step for step in taken] == list(range(13))


# gradient descent


@pytest.mark.parametrize("name", ["exponential", "logistic"])
def test_gradient_descent_is_gradient_descent(smooth, name):
    found, start = smooth
    taken = steps(gradient_descent, found, start, 30, losses.get(name), learning_rate=0.2)
    w = start.clone()
    for step in taken:
        torch.testing.assert_close(step.state.weights, w, rtol=1e-12, atol=1e-13)
        leaf = w.clone().requires_grad_()
        margins = found.function(leaf)
        risk = (torch.exp(-margins) if name == "exponential" else torch.log1p(torch.exp(-margins))).sum()
        assert step.ln_risk == pytest.approx(math.log(float(risk.detach())), rel=1e-11)
        w = w - 0.2 * torch.autograd.grad(risk, leaf)[0]
    assert taken[-1].ln_risk < taken[0].ln_risk


def test_gradient_descent_records_its_relative_length_and_error(linear_map):
    found = linear_map(ROWS)
    first, second = steps(gradient_descent, found, START, 1, learning_rate=0.3)
    moved = second.state.weights - START
    u = [torch.from_numpy(found.velocity(step.state.weights.numpy())) for step in (first, second)]
    turned = float((u[1] / u[1].norm() - u[0] / u[0].norm()).norm())
    assert second.step_size == pytest.approx(float(moved.norm() / START.norm()), rel=1e-12)
    assert second.error == pytest.approx(0.5 * second.step_size * turned, rel=1e-9)
    assert second.cos == second.cos_point


# Runge and Kutta


def test_rk4_is_of_fourth_order(smooth):
    found, start = smooth
    length = 0.5 if found.degree == 1 else 0.1
    expected = reference(found, start, length)
    counts = np.array([16, 32, 64, 128])
    ends = [steps(rk4, found, start, n, step=length / n)[-1].state.weights.numpy() for n in counts]
    errors = [np.linalg.norm(end - expected) for end in ends]
    assert np.polyfit(np.log(counts), np.log(errors), 1)[0] == pytest.approx(-4, abs=0.15)
    assert errors[-1] < 1e-9


def test_rk4_records_the_distance_to_the_midpoint_rule(linear_map):
    """Whose own error, of a step, is of third order."""
    found = linear_map(ROWS)
    sizes = np.array([0.02, 0.01, 0.005])
    taken = [steps(rk4, found, START, 1, step=h)[1] for h in sizes]
    norm = float(START.norm())

    def velocity(w):
        v = found.velocity(w)
        return np.linalg.norm(w) / np.linalg.norm(v) * v

    for h, step in zip(sizes, taken, strict=True):
        w = START.numpy()
        midpoint = w + h * velocity(w + h / 2 * velocity(w))
        assert step.error == pytest.approx(np.linalg.norm(step.state.weights.numpy() - midpoint) / norm, rel=1e-6)
    assert np.polyfit(np.log(sizes), np.log([step.error for step in taken]), 1)[0] == pytest.approx(3, abs=0.05)


@pytest.mark.parametrize("tolerance", [1e-4, 1e-6, 1e-9])
def test_dopri5_agrees_with_a_library_of_eighth_order(smooth, tolerance):
    found, start = smooth
    taken = steps(dopri5, found, start, 8, tolerance=tolerance, segment=0.05)
    for step in taken[1:]:
        w = reference(found, start, 0.05 * step.state.step)
        assert np.linalg.norm(step.state.weights.numpy() - w) <= 3 * step.state.step * tolerance * np.linalg.norm(w)
        assert (step.step_size, step.error) == (0.05, tolerance)


# SGD


def images(n=23):
    """Two classes of images of 2×2, and a network with a little of everything that its rate depends on."""
    generator = torch.Generator().manual_seed(0)
    y = 1.0 - 2.0 * (torch.arange(n) % 2)
    x = torch.randn(n, 1, 2, 2, generator=generator, dtype=torch.float64) + y[:, None, None, None]
    torch.manual_seed(1)
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 6, bias=False), nn.ReLU(), nn.Linear(6, 1, bias=False)).double()
    found = NetworkMap(network, x, y, 2)
    return found, 2 * found.flatten()


def hand_written(found, start, name, epochs, *, rate, batch, seed):
    """Weights, rates and the epochs that were given up, from the risk by autograd in the open."""
    network = found.network
    ell = {"exponential": lambda z: torch.exp(-z), "logistic": lambda z: torch.log1p(torch.exp(-z))}[name]
    x, y = found.images, found.labels
    n = len(x)

    def mean(weights, members):
        nn.utils.vector_to_parameters(weights, network.parameters())
        return ell(network(x[members])[:, 0] * y[members]).mean()

    generator = torch.Generator().manual_seed(seed)
    everyone = torch.arange(n)
    w, rejected, kept = start.clone(), 0, []
    while len(kept) < epochs:
        before = float(mean(w, everyone).detach())
        new = w.clone()
        order = torch.randperm(n, generator=generator)
        for first in range(0, n, batch):
            risk = mean(new, order[first : first + batch])
            gradient = torch.autograd.grad(risk, list(network.parameters()))
            new = new - rate / before * torch.cat([g.flatten() for g in gradient])
        if float(mean(new, everyone).detach()) < before:
            w, rate = new, rate * 2**0.2
            kept.append((w, rate, rejected))
            rejected = 0
        else:
            rate, rejected = rate / 2**0.1, rejected + 1
    return kept


@pytest.mark.parametrize("name", ["exponential", "logistic"])
@pytest.mark.parametrize(("rate", "batch"), [(0.01, 5), (0.05, 100), (8.0, 5)])
def test_sgd_is_the_loss_scaled_rule_by_hand(name, rate, batch):
    found, start = images()
    taken = steps(sgd, found, start, 6, losses.get(name), rate=rate, batch=batch, seed=3)
    expected = hand_written(found, start, name, 6, rate=rate, batch=batch, seed=3)
    norm = float(start.norm())
    for step, (w, following, rejected) in zip(taken[1:], expected, strict=True):
        torch.testing.assert_close(step.state.weights, w, rtol=1e-7, atol=1e-8 * norm)
        assert step.state.step_size == pytest.approx(following, rel=1e-12)
        assert step.rejected == rejected
    assert np.diff([step.ln_risk for step in taken]).max() < 0
    if rate == 8.0:
        assert sum(step.rejected for step in taken) > 0


def test_weights_go_back_where_the_risk_rises():
    found, start = images()
    first, second = steps(sgd, found, start, 1, rate=50.0, batch=5)
    assert second.rejected > 3
    assert second.ln_risk < first.ln_risk
    assert second.state.step_size == pytest.approx(50.0 * 2 ** (0.2 - 0.1 * second.rejected), rel=1e-12)
    assert second.state.evaluations == first.state.evaluations + second.rejected + 1
    moved = float((second.state.weights - start).norm() / start.norm())
    assert second.step_size == pytest.approx(moved, rel=1e-12)
    assert math.isnan(second.error)


@pytest.mark.parametrize("at", [0, 1, 4])
def test_sgd_goes_on_with_the_same_order_of_examples(at):
    found, start = images()
    logistic = losses.get("logistic")
    taken = steps(sgd, found, start, 8, logistic, rate=2.0, batch=5, seed=1)
    rest = resumed(sgd, found, logistic, taken, at, rate=2.0, batch=5, seed=1)
    assert len(rest) == 8 - at
    for first, second in zip(taken[at + 1 :], rest, strict=True):
        assert same(first, second)


def test_a_step_is_shown_again_after_every_epoch_that_was_given_up_and_sgd_goes_on_from_there():
    found, start = images()
    spec = sgd.Spec(rate=8.0, batch=5)
    shown = list(itertools.islice(sgd.steps(found, EXPONENTIAL, spec, flow.State.at_start(start.clone())), 60))
    again = [first.state.step == second.state.step for first, second in itertools.pairwise(shown)]
    assert 3 < sum(again) < 57
    for at in (2, again.index(False), len(again) - 1 - again[::-1].index(True)):
        rest = sgd.steps(found, EXPONENTIAL, spec, copied(shown[at].state))
        for first, second in zip(shown[at + 1 :], itertools.islice(rest, 1, None), strict=False):
            assert torch.equal(first.state.weights, second.state.weights)
            assert first.state.step_size == second.state.step_size
            if first.state.step > shown[at].state.step:
                assert same(first, second)


def test_a_step_that_is_shown_again_is_no_snapshot_and_reaches_no_goal():
    found, start = images()
    stop = Stop(steps=2, tail=1e-9)
    spec = sgd.Spec(rate=50.0, batch=5)
    events = list(flow.follow(found, EXPONENTIAL, spec, stop, flow.State.at_start(start.clone())))
    numbers = [event.step.state.step for event in events]
    assert numbers[-1] == 2 and len(numbers) > 5
    for first, second in itertools.pairwise(events):
        if first.step.state.step == second.step.state.step:
            assert not second.snapshot and second.stop is None
    assert events[-1].stop == StopReason.STEPS


def test_the_seed_orders_the_examples():
    found, start = images()
    ends = [steps(sgd, found, start, 2, rate=0.02, batch=5, seed=seed)[-1].state.weights for seed in (0, 0, 1)]
    assert torch.equal(ends[0], ends[1])
    assert not torch.equal(ends[0], ends[2])


def test_sgd_without_a_rate_that_lowers_the_risk_underflows():
    """Margins ⟨w, ±x⟩: at w = 0, the minimum, the gradient of a batch is none of the risk's."""
    x = torch.tensor([1.0, 1.0]).double().view(2, 1, 1, 1)
    found = NetworkMap(
        nn.Sequential(nn.Flatten(), nn.Linear(1, 1, bias=False)).double(), x, torch.tensor([1.0, -1.0]), 1
    )
    start = torch.tensor([1e-9], dtype=torch.float64)
    spec = sgd.Spec(rate=1e-3, batch=1)
    events = list(flow.follow(found, EXPONENTIAL, spec, Stop(), flow.State.at_start(start)))
    assert events[-1].stop == StopReason.STEP_UNDERFLOW


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"method": "gradient_descent", "learning_rate": 0.0}, "f.learning_rate: must be above zero"),
        ({"method": "gradient_descent", "rate": 0.1}, "f.rate: unknown key"),
        ({"method": "rk4", "step": -1.0}, "f.step: must be above zero"),
        ({"method": "rk4", "step": "1"}, "f.step"),
        ({"method": "dopri5", "tolerance": 0.0}, "f.tolerance: must be above zero"),
        ({"method": "dopri5", "segment": math.nan}, "f.segment"),
        ({"method": "sgd", "rate": 0.0}, "f.rate: must be above zero"),
        ({"method": "sgd", "batch": 0}, "f.batch: must be above zero"),
        ({"method": "sgd", "batch": 1.5}, "f.batch"),
        ({"method": "sgd", "sede": 1}, "f.sede: unknown key; did you mean 'seed'?"),
    ],
)
def test_bad_options_are_one_line_that_names_the_key(options, key):
    with pytest.raises(UserError) as caught:
        flow.specification(options, "f")
    assert str(caught.value).startswith(key)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("method", [gradient_descent, rk4, dopri5, sgd])
def test_the_method_is_found_by_its_name(method):
    name = method.__name__.rpartition(".")[2]
    assert flow.specification({"method": name}, "f") == method.Spec() == flow.from_options({"method": name})
