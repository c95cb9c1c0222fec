"""Dense networks on digits, discrete methods, losses, maps that are no networks: closed forms and oracles."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from dirconv import losses, problems
from dirconv.errors import UserError
from dirconv.geometry import chords
from dirconv.margins.ensemble import EnsembleMap
from dirconv.problems import _dense, dense, dense_descents, dense_losses, homogeneous_map

ACTIVATIONS = ("linear", "relu", "leaky_relu", "soft_relu", "squared_relu")


@pytest.mark.parametrize("activation,layers", list(itertools.product(ACTIVATIONS, (1, 2, 3))))
@pytest.mark.parametrize("loss", ["exponential", "cubic"])
def test_the_margins_have_the_degree_that_is_stated(activation, layers, loss):
    spec = dense.Spec(activation=activation, layers=layers, width=6, examples=5, loss=loss)
    maps, _ = _dense.margin_map(spec, _dense.images(spec, [3]), loss)
    weights = _dense.start(spec, [3])
    torch.testing.assert_close(
        maps.values(1.7 * weights), 1.7**spec.degree * maps.values(weights), rtol=1e-11, atol=1e-12
    )


def test_the_rounded_relu_is_smooth_and_tends_to_relu_far_from_its_kink():
    h = torch.tensor([[3.0, -3.0, 1e-4, -1e-4]], dtype=torch.float64, requires_grad=True)
    jacobian = torch.autograd.functional.jacobian(lambda x: _dense.activate("soft_relu", x)[0], h)[:, 0]
    assert torch.isfinite(jacobian).all()
    assert abs(jacobian[2, 2] - 0.5) < 1e-3 and abs(jacobian[3, 3] - 0.5) < 1e-3  # no jump
    assert 0.9 < jacobian[0, 0] < 1.01 and -0.01 < jacobian[1, 1] < 0.1


def test_the_cubic_loss_is_the_exponential_one_on_cubed_margins():
    spec = dense.Spec(loss="cubic", width=4, examples=7)
    data = _dense.images(spec, [0])
    maps, loss = _dense.margin_map(spec, data, "cubic")
    weights = 0.4 * _dense.start(spec, [0])
    leaf = weights[0].clone().requires_grad_()
    p = data.y[0] * _dense.output(spec, leaf, data.x[0])
    risk = torch.exp(-(p**3)).sum()
    gradient = torch.autograd.grad(risk, leaf)[0]
    margins = maps.values(weights)
    assert math.isclose(float(loss.ln_risk(margins[0][:, None])), float(risk.detach().log()), rel_tol=1e-12)
    slopes = loss.ln_slopes(margins.T).exp().T
    torch.testing.assert_close(-maps.pullback(weights, slopes)[0], gradient, rtol=1e-10, atol=1e-13)


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
    spec = dense.Spec(width=4, examples=8, tau=0.3, land=0.01, tolerance=1e-3, activation="soft_relu")
    (one,) = dense.follow(spec, [1])
    limit = one.tables["limit"]
    data = _dense.images(spec, [1])
    maps, loss = _dense.margin_map(spec, data, "exponential")
    first, _ = dense.descend(maps, loss, _dense.start(spec, [1]), spec.descent)

    def velocity(_, w):
        at = torch.from_numpy(w)[None]
        return maps.pullback(at, maps.values(at).neg().exp())[0].numpy()

    t = math.exp(limit["ln_time"].iloc[-1])
    solved = solve_ivp(velocity, (0, t), first[0].numpy(), rtol=1e-9, atol=1e-10, method="LSODA")
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


def test_chords_measure_arcs_and_pass_over_chatter():
    tau = np.linspace(0, 2, 201)
    turn = np.log1p(tau)
    chatter = 1e-3 * (-1) ** np.arange(201)
    path = np.stack([np.cos(turn), np.sin(turn), chatter], 1)
    found = chords(tau, path)
    known = np.flatnonzero(np.isfinite(found))
    assert found[known[0]] == 0
    true = turn[known[-1]] - turn[known[0]]
    assert abs(found[known[-1]] - true) < 0.01 * true
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1).sum()
    assert steps > 1.05 * true  # the path's own length is not as good


def test_the_curvature_is_the_largest_eigenvalue():
    spec = dense.Spec(width=3, examples=6, activation="soft_relu")
    data = _dense.images(spec, [0, 1])
    maps, loss = _dense.margin_map(spec, data, "exponential")
    weights = 0.5 * _dense.start(spec, [0, 1])
    for logarithmic in (False, True):
        found = dense_descents.curvature(maps, loss, weights, logarithmic)
        for i in range(2):

            def value(w, i=i, logarithmic=logarithmic):
                risk = torch.exp(-maps.function(w, data.x[i], data.y[i])).sum()
                return risk.log() if logarithmic else risk / 6

            largest = torch.linalg.eigvalsh(torch.autograd.functional.hessian(value, weights[i])).abs().max()
            assert math.isclose(float(found[i]), float(largest), rel_tol=0.02)


@pytest.fixture(scope="module")
def descents():
    spec = dense_descents.Spec(
        width=6, examples=10, activation="soft_relu", tau=0.2, land=0.02, tolerance=1e-4, steps=400,
        fractions=[0.0625, 0.125, 0.25], batches=[2], adam=[0.003],
    )  # fmt: skip
    return spec, dense_descents.follow(spec, [0, 1])


def test_gradient_descent_comes_to_the_flow_at_first_order(descents):
    _, followed = descents
    for one in followed:
        table = one.tables["descents"]
        gd = table[(table["method"] == "ln_gd") & ~table["last"]]
        at = gd[gd["tau"] == gd.groupby("tau")["fraction"].nunique().loc[lambda n: n == 3].index.max()]
        angle = at.sort_values("fraction")["angle"].to_numpy()
        assert (angle < 2e-3).all()
        assert 1.6 < (angle[2] - angle[1]) / (angle[1] - angle[0]) < 2.6  # differences of an error c η


@pytest.mark.parametrize("name", ["gd", "ln_gd", "momentum", "adam"])
def test_methods_are_those_of_torch(descents, name):
    spec, _ = descents
    seeds = [0, 1]
    data = _dense.images(spec, seeds)
    maps, loss = _dense.margin_map(spec, data, spec.loss)
    first, _ = dense.descend(maps, loss, _dense.start(spec, seeds), spec.descent)
    method = dense_descents.Method(name, rate=0.01)
    rates = torch.full((1, 2), 0.01, dtype=torch.float64)
    run = dense_descents._Descents(maps, loss, first, [method], rates, np.array([99.0]), seeds)
    run.run(7)
    for i in range(2):
        leaf = first[i].clone().requires_grad_()
        optimizer = {
            "gd": lambda w: torch.optim.SGD([w], lr=0.01),
            "ln_gd": lambda w: torch.optim.SGD([w], lr=0.01),
            "momentum": lambda w: torch.optim.SGD([w], lr=0.01, momentum=dense_descents.MOMENTUM),
            "adam": lambda w: torch.optim.Adam([w], lr=0.01),
        }[name](leaf)
        for _ in range(7):
            optimizer.zero_grad()
            risk = torch.exp(-maps.function(leaf, data.x[i], data.y[i])).sum()
            (risk.log() if name == "ln_gd" else risk / spec.examples).backward()
            optimizer.step()
        torch.testing.assert_close(run.weights[i], leaf.detach(), rtol=1e-9, atol=1e-11)


def test_batches_go_through_all_examples(descents):
    spec, _ = descents
    data = _dense.images(spec, [4])
    maps, loss = _dense.margin_map(spec, data, spec.loss)
    method = dense_descents.Method("sgd", fraction=0.1, batch=2)
    run = dense_descents._Descents(
        maps, loss, _dense.start(spec, [4]), [method], torch.ones(1, 1).double(), np.array([1.0]), [4]
    )
    masks = torch.stack([run._batch(0, run.orders[0])[0] for _ in range(5)])
    assert (masks.sum(1) == 2).all() and (masks.sum(0) == 1).all()


def test_a_linear_network_goes_to_one_direction_by_every_exponential_tail():
    spec = dense_losses.Spec(activation="linear", width=6, examples=12, tau=3.0)
    (one,) = dense_losses.follow(spec, [0])
    ends = one.tables["losses"].groupby("loss").last()
    assert ends.loc["exponential", ["angle", "to_end", "function_angle"]].tolist() == [0, 0, 0]
    assert (ends.loc[["logistic", "cubic"], "function_to_end"] < 0.01).all()
    assert (ends.loc[["exponential", "logistic", "cubic"], "to_best"] < 0.05).all()
    assert ends.loc["polynomial", "to_best"] > 0.05


def test_losses_must_hold_the_one_that_others_are_compared_with():
    with pytest.raises(UserError, match="losses: must hold exponential"):
        problems.specification({"name": "dense_losses", "losses": ["logistic"]}, "problem")


def test_polynomials_and_tensors_are_what_they_are_said_to_be():
    random = np.random.default_rng(0)
    w, t = torch.from_numpy(random.normal(size=3)), torch.from_numpy(random.normal(size=(2, 3, 3, 3)))
    torch.testing.assert_close(homogeneous_map.polynomial(w, t), torch.einsum("iabc,a,b,c->i", t, w, w, w))
    u, x = torch.from_numpy(random.normal(size=(4, 3, 5))), torch.from_numpy(random.normal(size=(2, 3, 5)))
    whole = torch.einsum("ra,rb,rc->abc", *u.unbind(1))
    torch.testing.assert_close(homogeneous_map.tensor(u, x), torch.einsum("abc,ia,ib,ic->i", whole, *x.unbind(1)))


@pytest.mark.parametrize("kind", ["polynomial", "tensor"])
def test_maps_that_are_no_networks_are_followed(kind):
    spec = homogeneous_map.Spec(kind=kind, tau=2.0)
    for one in homogeneous_map.follow(spec, [1, 2]):
        path = one.tables["path"]
        assert one.stop == "tau" and path["below"].iloc[-1] and path["cos"].iloc[-1] > 0.9
        assert one.tables["decomposition"]["difference"].max() < 1e-6


def test_ensemble_maps_are_the_networks(descents):
    spec, _ = descents
    data = _dense.images(spec, [0])
    maps, _ = _dense.margin_map(spec, data, spec.loss)
    assert isinstance(maps, EnsembleMap) and losses.get("exponential").ln_at_zero == 0.0
    weights = _dense.start(spec, [0])
    w1, w2 = _dense.layers(spec.shapes, weights[0])
    h = data.x[0] @ w1.T
    by_hand = data.y[0] * (_dense.activate("soft_relu", h) @ w2.T)[:, 0]
    torch.testing.assert_close(maps.values(weights)[0], by_hand)
