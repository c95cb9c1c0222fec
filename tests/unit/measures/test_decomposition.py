"""Both sides of the flow's decomposition: against a flow step of high accuracy, against finite differences of a network
with pooling, and where they must not agree."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from small_networks import convolutional, network_map, trajectory

from dirconv import losses
from dirconv.flow.rates import decompose
from dirconv.measures import decomposition

LOSSES = [losses.get("exponential"), losses.get("logistic")]


def both_sides(loss, found, weights, degree):
    p, pullback = found.linearize(weights)
    velocity = pullback(loss.weights(p))
    rates = torch.func.jvp(found.function, (weights,), (velocity,))[1].detach()
    return {row["quantity"]: row for row in decompose(loss, degree, weights, p, velocity, rates)}


def step(loss, found, weights, size):
    """Classical Runge–Kutta along v, which is −∇ℒ in another clock."""

    def velocity(w):
        p, pullback = found.linearize(w)
        return pullback(loss.weights(p))

    a = velocity(weights)
    b = velocity(weights + size / 2 * a)
    c = velocity(weights + size / 2 * b)
    return weights + size / 6 * (a + 2 * b + 2 * c + velocity(weights + size * c))


def differences(loss, found, weights, size=1e-5):
    """d ln ã/dτ and dζ/dτ from two points of the flow."""
    back, on = (step(loss, found, weights, sign * size) for sign in (-1, 1))
    growth = float(torch.log(on.norm() / back.norm()))
    smoothed = [loss.inverse(float(loss.ln_risk(found.values(w)))) for w in (back, on)]
    chord = float((on / on.norm() - back / back.norm()).norm())
    return {"smoothed_margin": np.log(smoothed[1] / smoothed[0]) / growth - 3, "path_length": chord / growth}


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_both_sides_are_the_rates_along_the_flow(squared_relu, loss):
    found, weights = squared_relu
    expected = differences(loss, found, weights)
    rows = both_sides(loss, found, weights, 3)
    for quantity, row in rows.items():
        assert row["left"] == pytest.approx(expected[quantity], rel=1e-6)
        assert row["radial"] + row["spherical"] == pytest.approx(expected[quantity], rel=1e-6)
        assert row["difference"] < 1e-13
    assert rows["smoothed_margin"]["radial"] > 1e-2 < rows["smoothed_margin"]["spherical"]  # neither part is idle


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
@pytest.mark.parametrize("degree", [2, 4])
def test_with_another_degree_the_sides_differ(squared_relu, loss, degree):
    """By L (κ Σ q p/m − 1) against κ ⟨W, v⟩/m − L: the true degree is in ⟨W, v⟩ = 3 Σ q p."""
    rows = both_sides(loss, *squared_relu, degree)
    assert rows["smoothed_margin"]["difference"] > 1e-2
    assert rows["path_length"]["difference"] < 1e-13  # the direction's speed knows no degree


def test_a_velocity_or_rates_that_are_not_the_gradients_are_seen(squared_relu):
    found, weights = squared_relu
    loss = LOSSES[0]
    p, pullback = found.linearize(weights)
    velocity = pullback(loss.weights(p))
    rates = torch.func.jvp(found.function, (weights,), (velocity,))[1].detach()
    bent = velocity * (1 + 1e-4 * torch.cos(torch.arange(len(velocity))))
    for v, r in ((bent, rates), (velocity, rates * (1 + 1e-4)), (velocity, rates.float().double())):
        assert decompose(loss, 3, weights, p, v, r)[0]["difference"] > 1e-9


# on a network


def classified(found):
    """Labels that the network itself gives, so that ℒ < ℓ(0) once its weights are large."""
    with torch.no_grad():
        out = found.network(found.images)
    labels = torch.sign(out[:, 0]).double() if out.shape[1] == 1 else out.argmax(1)
    return found.on(found.images, labels)


@pytest.mark.parametrize("classes", [2, 3])
def test_rates_are_those_of_the_margins(classes):
    """Through convolutions as they are unfolded, pooling, and chunks that do not divide the examples."""
    exact = network_map(convolutional(outputs=1 if classes == 2 else 3), 3, classes=classes).precise()
    weights = exact.flatten()
    velocity = torch.randn(weights.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    size = 1e-6
    expected = (exact.values(weights + size * velocity) - exact.values(weights - size * velocity)) / (2 * size)
    found = decomposition.rates(exact, weights, velocity)
    assert found.shape == expected.shape == (7, 1 if classes == 2 else 2)
    assert not found.requires_grad
    torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-8)
    _, pullback = exact.linearize(weights)
    q = torch.rand(found.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    assert float((q * found).sum()) == pytest.approx(float(pullback(q) @ velocity), rel=1e-12)


def growing(found, count=30):
    """Weights of growing norm along a fixed direction, as float32 holds them; the first ones with ℒ > ℓ(0)."""
    return [found.flatten().float() * scale for scale in np.linspace(0.5, 12, count)]


def test_the_table_agrees_with_itself_from_weights_in_single_precision():
    found = classified(network_map(convolutional(), 3))
    run = trajectory(found, growing(found))
    table = decomposition.table(run)
    below = run.at_snapshots[run.at_snapshots["ln_risk"] < run.loss.ln_at_zero]["snapshot"]
    assert 12 < len(below) < 30
    assert table["difference"].max() < 1e-12
    assert set(table["quantity"]) == {"smoothed_margin", "path_length"}
    snapshots = table["snapshot"].unique()
    assert len(snapshots) == decomposition.SNAPSHOTS == len(table) / 2
    assert {snapshots[0], snapshots[-1]} == {below.iloc[0], below.iloc[-1]}
    assert set(np.diff(snapshots)) <= {np.diff(snapshots).min(), np.diff(snapshots).min() + 1}
    last = table.iloc[-1]
    smallest = float(found.precise().values(run.weights[-1].double()).min())
    assert last["resolution"] == pytest.approx(16 * 2**-53 * smallest, rel=1e-12)
    assert (last["step"], last["norm"]) == (290, run.at_snapshots["norm"].iloc[-1])


def aligned(found, steps=60):
    """Weights after steps along v, a twentieth of their norm each: ⟨W, v⟩, and so the degree, then weighs something."""
    weights = found.flatten()
    for _ in range(steps):
        p, pullback = found.linearize(weights)
        velocity = pullback(LOSSES[1].weights(p))
        weights = weights + 0.05 * weights.norm() * velocity / velocity.norm()
    return weights


@pytest.mark.parametrize("bias", [False, True])
def test_a_network_that_is_not_homogeneous_is_found_out(bias):
    found = classified(network_map(convolutional(bias=bias), 3))
    weights = aligned(found)
    table = decomposition.table(trajectory(found, [weights, 1.1 * weights]))
    worst = table.groupby("quantity")["difference"].max()
    assert worst["path_length"] < 1e-12
    assert (worst["smoothed_margin"] > 1e-4) == bias
    assert bias or worst["smoothed_margin"] < 1e-12


@pytest.mark.parametrize("why", ["no degree", "coupled", "never below"])
def test_what_has_no_such_identity_has_an_empty_table(why, tmp_path):
    found = classified(network_map(convolutional(norm=why == "coupled"), None if why == "no degree" else 3))
    if why == "coupled":
        found = dataclasses.replace(found, coupled=True)
    weights = growing(found, 4)
    table = decomposition.table(trajectory(found, [0.01 * weights[0]] if why == "never below" else weights))
    assert table.empty
    assert list(table) == list(decomposition.COLUMNS)
    assert table["difference"].dtype == np.float64
    table.to_parquet(tmp_path / "table.parquet")
    assert list(pd.read_parquet(tmp_path / "table.parquet")) == list(table)
