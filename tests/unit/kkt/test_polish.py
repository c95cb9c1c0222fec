"""Newton's method to a KKT point, against the limits that convex problems know, and where there is nothing to find."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from dirconv import kkt
from dirconv.geometry import angle, directions
from dirconv.kkt.polish import polish
from dirconv.margins.function import FunctionMap
from dirconv.margins.network import NetworkMap
from dirconv.oracles import hard_margin, signed_measure
from dirconv.problems import squared_relu


def ascended(found, start, steps=600):
    """A direction somewhere on the way of the flow: `start` (D,) along v/‖v‖ while the norm grows."""
    w = start
    for _ in range(steps):
        margins, pullback = found.linearize(w)
        v = pullback(torch.softmax(-margins.flatten(), 0).view_as(margins))
        w = w + 0.02 * w.norm() * v / v.norm() / (1 + float(w.norm()))
    assert float(found.values(w).min()) > 0
    return directions(w)


def quadratic(residuals):
    """Whether the last steps at least divide the residual by a hundred, and ever more."""
    orders = [-math.log10(max(each, 1e-15)) for each in residuals[-3:]]
    return all(b - a > 2 for a, b in itertools.pairwise(orders)) or orders[-1] - orders[-2] > 4


def normal(seed, *shape):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


DATA = np.random.default_rng(0).normal(size=(10, 4)) + np.array([1.5, 0, 0, 0])


def deep_linear(z):
    """Three layers, 4–5–5–1, on rows z (n, 4)."""
    rows = torch.from_numpy(z)

    def margins(flat):
        first, second, third = flat[:20].view(5, 4), flat[20:45].view(5, 5), flat[45:]
        return (rows @ (third @ second @ first))[:, None]

    return FunctionMap(margins, 3)


def test_a_deep_linear_network_comes_to_the_svm():
    found = deep_linear(DATA)
    theta = ascended(found, normal(1, 50), 1500)
    result = polish(found, theta)
    assert result.converged, result
    assert quadratic(result.residuals)
    best = hard_margin.solve(DATA)
    # ‖W₁‖ = ‖W₂‖ = ‖W₃‖, each of rank one: γ = γ*/3^{3/2}
    assert result.certificate.margin == pytest.approx(best.lower / 3**1.5, rel=1e-10)
    shares = result.certificate.per_example / result.certificate.per_example.sum()
    assert np.allclose(shares, best.dual, rtol=0, atol=1e-9)
    assert result.distance == pytest.approx(angle(theta, result.theta), abs=1e-12)
    assert 1e-4 < result.distance < 0.5


def test_squared_relu_comes_to_the_convex_programs_measure():
    spec = squared_relu.Spec(dimension=2, neurons=16)
    x, y = squared_relu.examples(spec, 0)
    best = signed_measure.solve(x, y)
    images, labels, signs = (torch.from_numpy(each) for each in (x, y, squared_relu.signs(spec)))

    def margins(flat):
        return (labels * ((images @ flat.view(-1, 2).T).clamp(min=0).square() @ signs))[:, None]

    found = FunctionMap(margins, 2)
    result = polish(found, ascended(found, torch.from_numpy(squared_relu.start(spec, 0)), 1000))
    assert result.converged, result
    assert result.certificate.margin == pytest.approx(best.lower, rel=1e-9)
    shares = result.certificate.per_example / result.certificate.per_example.sum()
    assert np.allclose(shares, best.dual, rtol=0, atol=1e-8)


class Smooth(nn.Module):
    """½ (z + √(z² + ε² m²)), m² the mean of z² over the image: of degree one and smooth."""

    def forward(self, z):
        mean = z.square().mean(tuple(range(1, z.ndim)), keepdim=True)
        return 0.5 * (z + (z.square() + 0.09 * mean).sqrt())


class Squared(nn.Module):
    def forward(self, z):
        return z.relu().square()


def convolutional(activation, outputs=1):
    torch.manual_seed(outputs)
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1, bias=False), activation, nn.AvgPool2d(2),
        nn.Conv2d(3, 4, 3, bias=False), activation, nn.Flatten(), nn.Linear(4, outputs, bias=False),
    )  # fmt: skip


def on_noise(network, degree, outputs=1, count=6):
    labels = torch.arange(count) % max(outputs, 2)
    images = normal(4, count, 2, 6, 6).float()
    return NetworkMap(network, images, 2.0 * labels - 1 if outputs == 1 else labels, degree)


@pytest.mark.parametrize(("activation", "degree", "outputs"), [(Smooth(), 3, 1), (Squared(), 7, 1), (Smooth(), 3, 3)])
def test_a_smooth_convolutional_network_comes_to_a_kkt_point(activation, degree, outputs):
    found = on_noise(convolutional(activation, outputs), degree, outputs)
    theta = ascended(found, found.flatten(), 300)
    before = kkt.certificate(found, theta)
    result = polish(found, theta)
    assert result.converged, result
    assert quadratic(result.residuals)
    # by the definition, from the network itself
    exact = found.precise()
    point = result.theta / result.certificate.margin ** (1 / degree)
    margins, pullback = exact.linearize(point)
    residual = point - pullback(result.certificate.multipliers)
    assert float(residual.norm() / point.norm()) < 1e-10
    assert float(margins.min()) == pytest.approx(1, rel=1e-12)
    assert float((result.certificate.multipliers * (margins - 1)).abs().max() / point.norm() ** 2) < 1e-10
    assert result.certificate.margin > before.margin
    # and it stays where it has come to
    again = polish(found, result.theta)
    assert again.converged
    assert again.residuals[1:] == []
    assert again.distance < 1e-12


def smooth_dense(seed, count=20):
    """A smooth network of two layers on labelled noise, all in float64: degree two."""
    images, labels = (
        normal(seed, count, 5),
        torch.from_numpy(np.sign(np.random.default_rng(seed + 1).normal(size=count))),
    )

    def margins(flat):
        hidden = Smooth()(images @ flat[:60].view(12, 5).T)
        return (labels * (hidden @ flat[60:]))[:, None]

    return FunctionMap(margins, 2)


def test_a_smooth_network_of_two_layers_comes_to_a_point_that_meets_the_definition():
    found = smooth_dense(0)
    theta = ascended(found, normal(2, 72), 3000)
    result = polish(found, theta)
    assert result.converged, result
    assert quadratic(result.residuals)
    assert len(result.certificate.support) > 3
    assert result.curvature > -1e-4
    point = result.theta / result.certificate.margin**0.5
    margins, pullback = found.linearize(point)
    residual = point - pullback(result.certificate.multipliers)
    assert float(residual.norm() / point.norm()) < 1e-10
    assert float((result.certificate.multipliers * (margins - 1)).abs().max()) < 1e-10 * float(point @ point)


def test_a_start_with_other_active_margins_comes_to_the_svm_too():
    z = np.random.default_rng(11).normal(size=(30, 4)) + np.array([2.5, 0, 0, 0])
    found, best = deep_linear(z), hard_margin.solve(z)
    theta = ascended(found, normal(1, 50), 100)
    result = polish(found, theta)
    assert result.converged, result
    assert result.certificate.margin == pytest.approx(best.lower / 3**1.5, rel=1e-10)
    shares = result.certificate.per_example / result.certificate.per_example.sum()
    assert np.allclose(shares, best.dual, rtol=0, atol=1e-9)
    before, after = (set(each.support.tolist()) for each in (kkt.certificate(found, theta, None), result.certificate))
    assert before - after
    assert after - before


def quadratic_form(*values):
    """p(W) = Σ a_i W_i²: its KKT points are the axes with a_i > 0, all but that of the largest saddles."""
    form = torch.tensor(values, dtype=torch.float64)
    return FunctionMap(lambda w: (form @ w.square())[None, None], 2)


@pytest.mark.parametrize("aside", [0.0, 1e-12, 1e-6, 1e-2])
def test_a_saddle_is_left_along_negative_curvature(aside):
    found = quadratic_form(1.0, 2.0, 0.5)
    result = polish(found, directions(torch.tensor([1.0, aside, 0.3 * aside], dtype=torch.float64)))
    assert result.converged, result
    assert result.certificate.margin == pytest.approx(2, rel=1e-12)
    assert result.distance == pytest.approx(math.pi / 2, abs=0.02)
    # H = 1 − 2 μ a with μ = 1/(2 · 2), on the axes of 1 and ½
    assert result.curvature == pytest.approx(0.5, abs=1e-9)


def test_where_as_many_margins_are_active_as_there_are_weights_no_curvature_is_left():
    found = FunctionMap(lambda w: torch.stack([w[0], w[1], w[0] + w[1]])[:, None], 1)
    result = polish(found, directions(torch.tensor([1.0, 0.2], dtype=torch.float64)))
    assert result.converged
    assert result.certificate.margin == pytest.approx(0.5**0.5, rel=1e-12)
    assert result.certificate.per_example.tolist() == pytest.approx([1, 1, 0], abs=1e-12)
    assert result.curvature == math.inf


def test_a_run_can_be_watched_and_ended():
    found, seen = quadratic_form(1.0, 2.0, 0.5), []

    def watch(theta, residual, margin):
        seen.append((theta, residual, margin))
        return len(seen) == 3

    result = polish(found, directions(torch.tensor([1.0, 0.1, 0.1], dtype=torch.float64)), watch=watch)
    assert not result.converged
    assert result.residuals == [residual for _, residual, _ in seen]
    assert [float(found.values(theta)) for theta, _, _ in seen] == pytest.approx([margin for *_, margin in seen])
    assert seen[0][2] < seen[1][2] < seen[2][2]


def test_examples_that_are_there_twice_do_not_matter():
    once, twice = deep_linear(DATA), deep_linear(np.vstack([DATA, DATA]))
    theta = ascended(once, normal(1, 50), 300)
    result = polish(twice, theta)
    assert result.converged, result
    assert result.certificate.margin == pytest.approx(hard_margin.solve(DATA).lower / 3**1.5, rel=1e-9)


def test_where_there_is_a_kink_it_says_that_it_has_not_converged():
    # p = min(w₁ + w₂, w₁ − w₂) of one example: the KKT point lies on the kink, where neither gradient will do
    found = FunctionMap(lambda w: torch.minimum(w[0] + w[1], w[0] - w[1])[None, None], 1)
    result = polish(found, directions(torch.tensor([1.0, 0.2], dtype=torch.float64)))
    assert not result.converged
    assert result.residuals[-1] > 0.5
    assert "not converged: residual 0.7" in repr(result)


def test_a_start_that_is_not_classified_is_refused():
    found = FunctionMap(lambda w: w[:, None], 1)
    with pytest.raises(ValueError, match="above zero"):
        polish(found, directions(torch.tensor([1.0, -1.0], dtype=torch.float64)))
