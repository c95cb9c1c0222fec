"""Discrete methods on dense networks: against torch, the Hessian, the flow, and the map by hand."""

import math

import numpy as np
import pytest
import torch

from dirconv.problems import _dense, dense, dense_descents


def test_the_curvature_is_the_largest_eigenvalue():
    spec = dense.Spec(width=3, examples=6, activation="soft_relu")
    data, weights = _dense.images(spec, [0, 1]), 0.5 * _dense.start(spec, [0, 1])
    for i in range(2):
        network, loss = _dense.margin_map(spec, data.of(i), "exponential")
        for logarithmic in (False, True):

            def value(w, network=network, logarithmic=logarithmic):
                risk = torch.exp(-network.margins(w)).sum()
                return risk.log() if logarithmic else risk / 6

            largest = torch.linalg.eigvalsh(torch.autograd.functional.hessian(value, weights[i])).abs().max()
            found = dense_descents.curvature(network, loss, weights[i], logarithmic)
            assert math.isclose(found, float(largest), rel_tol=0.02)


@pytest.fixture(scope="module")
def descents():
    spec = dense_descents.Spec(
        width=6, examples=10, activation="soft_relu", tau=0.2, land=32, tolerance=1e-4, steps=400,
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
    network, loss = _dense.margin_map(spec, _dense.images(spec, [1]).of(0), spec.loss)
    first, _ = dense.descend(network, loss, _dense.start(spec, [1])[0], spec.descent)
    beside = dense_descents.Method("gd", rate=0.02)
    method = dense_descents.Method(name, rate=0.01)
    run = dense_descents._Descents(network, loss, first, [beside, method], [0.02, 0.01], np.array([99.0]), 1)
    run.run(7)
    leaf = first.clone().requires_grad_()
    optimizer = {
        "gd": lambda w: torch.optim.SGD([w], lr=0.01),
        "ln_gd": lambda w: torch.optim.SGD([w], lr=0.01),
        "momentum": lambda w: torch.optim.SGD([w], lr=0.01, momentum=dense_descents.MOMENTUM),
        "adam": lambda w: torch.optim.Adam([w], lr=0.01),
    }[name](leaf)
    for _ in range(7):
        optimizer.zero_grad()
        risk = torch.exp(-network.margins(leaf)).sum()
        (risk.log() if name == "ln_gd" else risk / spec.examples).backward()
        optimizer.step()
    torch.testing.assert_close(run.weights[1], leaf.detach(), rtol=1e-9, atol=1e-11)


def test_batches_go_through_all_examples(descents):
    spec, _ = descents
    network, loss = _dense.margin_map(spec, _dense.images(spec, [4]).of(0), spec.loss)
    method = dense_descents.Method("sgd", fraction=0.1, batch=2)
    run = dense_descents._Descents(network, loss, _dense.start(spec, [4])[0], [method], [1.0], np.array([1.0]), 4)
    masks = torch.stack([run._batch(0, run.orders[0]) for _ in range(5)])
    assert (masks.sum(1) == 2).all() and (masks.sum(0) == 1).all()


def test_margin_maps_are_the_networks(descents):
    spec, _ = descents
    data, weights = _dense.images(spec, [0]).of(0), _dense.start(spec, [0])[0]
    network, _ = _dense.margin_map(spec, data, spec.loss)
    w1, w2 = _dense.layers(spec.shapes, weights)
    by_hand = data.y * (_dense.activate("soft_relu", data.x @ w1.T) @ w2.T)[:, 0]
    torch.testing.assert_close(network.values(weights)[:, 0], by_hand)
