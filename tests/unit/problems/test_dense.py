"""Dense networks on digits: margins, images, times and the descent to the assumption."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from dirconv import problems
from dirconv.errors import UserError
from dirconv.problems import _dense, dense

ACTIVATIONS = ("linear", "relu", "leaky_relu", "soft_relu", "squared_relu")


@pytest.mark.parametrize("activation,layers", list(itertools.product(ACTIVATIONS, (1, 2, 3))))
@pytest.mark.parametrize("loss", ["exponential", "cubic"])
def test_the_margins_have_the_degree_that_is_stated(activation, layers, loss):
    spec = dense.Spec(activation=activation, layers=layers, width=6, examples=5, loss=loss)
    found, _ = _dense.margin_map(spec, _dense.images(spec, [3]).of(0), loss)
    weights = _dense.start(spec, [3])[0]
    torch.testing.assert_close(
        found.values(1.7 * weights), 1.7**spec.degree * found.values(weights), rtol=1e-11, atol=1e-12
    )


def test_the_rounded_relu_is_smooth_and_tends_to_relu_far_from_its_kink():
    h = torch.tensor([[3.0, -3.0, 1e-4, -1e-4]], dtype=torch.float64, requires_grad=True)
    jacobian = torch.autograd.functional.jacobian(lambda x: _dense.activate("soft_relu", x)[0], h)[:, 0]
    assert torch.isfinite(jacobian).all()
    assert abs(jacobian[2, 2] - 0.5) < 1e-3 and abs(jacobian[3, 3] - 0.5) < 1e-3  # no jump
    assert 0.9 < jacobian[0, 0] < 1.01 and -0.01 < jacobian[1, 1] < 0.1


def test_the_cubic_loss_is_the_exponential_one_on_cubed_margins():
    spec = dense.Spec(loss="cubic", width=4, examples=7)
    data = _dense.images(spec, [0]).of(0)
    found, loss = _dense.margin_map(spec, data, "cubic")
    weights = 0.4 * _dense.start(spec, [0])[0]
    leaf = weights.clone().requires_grad_()
    p = data.y * _dense.output(spec, leaf, data.x)
    risk = torch.exp(-(p**3)).sum()
    gradient = torch.autograd.grad(risk, leaf)[0]
    margins, pullback = found.linearize(weights)
    assert math.isclose(float(loss.ln_risk(margins)), float(risk.detach().log()), rel_tol=1e-12)
    torch.testing.assert_close(-pullback(loss.ln_slopes(margins).exp()), gradient, rtol=1e-10, atol=1e-13)


def test_a_seeds_images_depend_on_the_seed_alone():
    spec = dense.Spec(examples=20, flipped=0.1, conflicting=2)
    alone, beside = _dense.images(spec, [5]), _dense.images(spec, [1, 5])
    for name in ("x", "y", "x_test", "y_test"):
        torch.testing.assert_close(getattr(alone, name)[0], getattr(beside, name)[1], rtol=0, atol=0)
    assert torch.equal(alone.x[0, :2], alone.x[0, -2:]) and torch.equal(alone.y[0, :2], -alone.y[0, -2:])
    assert abs(float(alone.x.mean())) < 1e-12 and abs(float(alone.x.std(correction=0)) - 1) < 1e-12


def test_so_many_labels_are_wrong_as_asked():
    true, wrong = (_dense.images(dense.Spec(examples=40, flipped=share), [2]).y for share in (0.0, 0.25))
    assert int((true != wrong).sum()) == 10


@pytest.mark.parametrize(
    "options,message",
    [
        ({"flipped": 1.0}, "flipped: must be at least 0 and below 1"),
        ({"conflicting": 40}, "conflicting: must be from 0 to half"),
        ({"positive": [1, 11]}, "positive: must name digits"),
        ({"positive": [1, 2]}, "negative: 2 is among the positive"),
        ({"width": 0}, "width: must be above zero"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(UserError, match=message):
        problems.specification({"name": "dense", **options}, "study: problems.one.problem")


def test_more_images_than_there_are_is_an_error():
    with pytest.raises(UserError, match="5000 images asked for"):
        _dense.images(dense.Spec(examples=5000), [0])


def test_times_are_integrated_without_overflow():
    tau = np.linspace(0, 3, 31)
    for rate in (0.0, 2.0, -1.0):
        exact = tau[-1] if rate == 0 else math.expm1(rate * tau[-1]) / rate
        assert math.isclose(dense.ln_times(tau, rate * tau)[-1], math.log(exact), abs_tol=1e-9)
    assert math.isclose(dense.ln_times(tau, 1e9 * tau)[-1], 3e9 - math.log(1e9), rel_tol=1e-12)
    assert dense.ln_times(tau[:1], tau[:1]).tolist() == [-math.inf]


def test_flow_time_is_that_of_the_gradient_flow():
    spec = dense.Spec(width=4, examples=8, tau=0.3, land=64, tolerance=1e-3, activation="soft_relu")
    (one,) = dense.follow(spec, [1])
    limit = one.tables["limit"]
    found, loss = _dense.margin_map(spec, _dense.images(spec, [1]).of(0), "exponential")
    first, _ = dense.descend(found, loss, _dense.start(spec, [1])[0], spec.descent)

    def velocity(_, w):
        margins, pullback = found.linearize(torch.from_numpy(w))
        return pullback(margins.neg().exp()).numpy()

    t = math.exp(limit["ln_time"].iloc[-1])
    solved = solve_ivp(velocity, (0, t), first.numpy(), rtol=1e-9, atol=1e-10, method="LSODA")
    assert math.isclose(np.linalg.norm(solved.y[:, -1]), limit["norm"].iloc[-1], rel_tol=2e-3)


def test_the_descent_to_the_assumption_is_written_down():
    spec = dense.Spec(width=8, examples=12, tau=0.2)
    (one,) = dense.follow(spec, [0])
    start = one.tables["start"]
    assert start["below"].tolist() == [False] * (len(start) - 1) + [True]
    assert (start["time"].diff().dropna() > 0).all() and start["ln_risk"].is_monotonic_decreasing
    assert start["smoothed_margin"].iloc[0] < 0 < start["smoothed_margin"].iloc[-1]


def test_images_with_either_label_are_never_all_classified():
    spec = dense.Spec(width=8, examples=12, conflicting=2, descent=60, tau=0.5)
    (one,) = dense.follow(spec, [0])
    assert not one.tables["start"]["below"].any()
    assert one.tables["start"]["train_error"].iloc[-1] >= 2 / 12
    assert not one.tables["path"]["below"].any()
