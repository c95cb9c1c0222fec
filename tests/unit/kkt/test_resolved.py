"""The certificate at kinks: problems solved by hand, gradients sampled around a point, and maps that have no kinks."""

import math

import numpy as np
import pytest
import small_networks
import torch
from torch import nn

from dirconv import kkt
from dirconv.geometry import directions
from dirconv.kkt import resolved
from dirconv.margins.function import FunctionMap


def vector(*values):
    return torch.tensor(values, dtype=torch.float64)


def normal(seed, *shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


ROOF = FunctionMap(lambda w: (w[0] - w[1:].abs().sum()).view(1, 1), 1)  # its maximum is on all its kinks at once


@pytest.mark.parametrize("away", [(1e-3,), (-2e-3,), (1e-3, -5e-4), (1e-3, 1e-3, -1e-3), (0.0,), (0.0, 0.0)])
def test_near_the_kinks_of_a_roof_its_sides_are_combined_to_the_point_itself(away):
    theta = directions(vector(1.0, *away))
    assert kkt.certificate(ROOF, theta).epsilon_relative > (0.5 if any(away) else 0.0) * (1 - 1e-9) - 1e-9
    found = resolved.certificate(ROOF, theta)
    # θ = Σ μ g with first coordinates 1 of all g: Σ μ = θ₁, and λ = μ/γ
    assert found.epsilon_relative < 1e-12
    assert float(found.per_example) == pytest.approx(float(theta[0]) / found.margin, rel=1e-12)
    assert found.margin == pytest.approx(float(theta[0] - theta[1:].abs().sum()), rel=1e-14)
    assert found.delta == 0
    assert found.radius == (resolved.RADIUS if any(away) else 0.0)


def test_a_kink_outside_the_radius_is_not_seen():
    theta = directions(vector(1.0, 0.01))
    # one side, g = (1, −1): the angle between it and θ
    alone = math.sin(math.pi / 4 + math.atan(0.01))
    assert resolved.certificate(ROOF, theta).epsilon_relative == pytest.approx(alone, rel=1e-12)
    assert resolved.certificate(ROOF, theta).radius == 0
    assert resolved.certificate(ROOF, theta, radius=0.02).epsilon_relative < 1e-12


def test_two_examples_with_a_kink_each_have_the_multipliers_of_the_problem_in_hand():
    # p₁ = a − |c|, p₂ = b − |c| with w = (a, b, c): the largest margin is at a = b, c = 0, with λ = (1, 1)
    found = FunctionMap(lambda w: (w[:2] - w[2].abs())[:, None], 1)
    theta = directions(vector(1.0, 1.001, 0.0005))
    certificate = resolved.certificate(found, theta)
    # θ̃ = (λ₁, λ₂, s), |s| ≤ λ₁ + λ₂
    assert certificate.epsilon_relative < 1e-12
    point = theta / certificate.margin
    assert torch.allclose(certificate.per_example, point[:2], rtol=1e-12, atol=0)


SMOOTH = {
    "linear": (lambda w: w.view(2, 3) @ vector(1.0, 0.3, -0.2), 1),
    "cubic": (lambda w: (w.view(2, 3) @ vector(1.0, 0.3, -0.2)) ** 3, 3),
    "squared ReLU": (lambda w: (w.view(2, 3) @ normal(3, 3, 5)).clamp(min=0).square().sum(1), 2),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_a_smooth_map_has_one_cut_a_margin_and_the_numbers_at_the_point_itself(name):
    function, degree = SMOOTH[name]
    found = FunctionMap(lambda w: function(w)[:, None], degree)
    theta = directions(vector(1.0, 0.2, 0.1, 1.0, 0.1, -0.1))
    here, at_kinks = kkt.certificate(found, theta), resolved.certificate(found, theta)
    assert at_kinks.epsilon > 0
    assert at_kinks.epsilon == here.epsilon
    assert at_kinks.radius == 0
    assert torch.equal(at_kinks.of_cuts, here.of_cuts)


def relu(seed=0, neurons=12, examples=8, dimension=6):
    """Two layers; margins of degree two."""
    x, y = normal(seed, examples, dimension), 1 - 2.0 * (torch.arange(examples) % 2)

    def margins(w):
        hidden = w[: neurons * dimension].view(neurons, dimension)
        return (y * ((x @ hidden.T).relu() @ w[neurons * dimension :]))[:, None]

    return FunctionMap(margins, 2), normal(seed + 1, neurons * (dimension + 1))


def ascended(found, start, steps=600, scale=3.0, rate=0.02):
    """A direction on the way of the flow, zigzagging about its kinks."""
    theta = directions(start)
    for step in range(steps):
        margins, pullback = found.linearize(theta)
        v = pullback(torch.softmax(-scale * margins.flatten() / margins.abs().mean(), 0).view_as(margins))
        theta = directions(theta + rate / (1 + rate * step) * v / v.norm())
    assert float(found.values(theta).min()) > 0
    return theta


def test_it_finds_what_many_gradients_sampled_within_the_radius_do():
    found, start = relu()
    theta = ascended(found, start, 2000, 300.0, 0.05)
    margins = found.values(theta)
    one_side = kkt.certificate(found, theta, slack=0.05)
    certificate, cuts = resolved.resolve(found, theta, slack=0.05)
    sampled = resolved.ResolvedCuts(found, theta)
    for direction in directions(normal(5, 120, len(theta))):
        sampled.add(directions(theta + resolved.RADIUS * direction), margins <= 1.05 * margins.min())
    many = kkt.certify(sampled, theta, margins, 2, slack=0.05)
    assert many.epsilon < 0.9 * one_side.epsilon  # there are kinks
    assert certificate.epsilon < 1.02 * many.epsilon
    assert len(cuts.owners) < 100


@pytest.mark.parametrize("outputs", [1, 3])
def test_rows_in_float32_give_the_certificate_of_rows_in_float64(outputs):
    classes = max(outputs, 2)
    found = small_networks.network_map(small_networks.convolutional(outputs=outputs), 3, classes=classes)
    theta = ascended(found, found.flatten())
    rough, rough_cuts = resolved.resolve(found, theta, slack=0.2)
    fine, fine_cuts = resolved.resolve(found.precise(), theta, slack=0.2)
    assert rough_cuts.owners.tolist() == fine_cuts.owners.tolist()
    assert rough.epsilon == pytest.approx(fine.epsilon, rel=1e-5)
    assert np.allclose(rough_cuts.gram(), fine_cuts.gram(), rtol=0, atol=1e-6 * float(fine_cuts.gram().max()))
    assert torch.allclose(rough.per_example, fine.per_example, rtol=0, atol=1e-4 * float(fine.per_example.max()))


def test_a_smooth_network_on_images_is_not_resolved_and_the_same_with_relus_is():
    def with_activation(activation):
        torch.manual_seed(1)
        network = nn.Sequential(
            nn.Conv2d(2, 8, 3, padding=1, bias=False), activation, nn.AvgPool2d(2),
            nn.Conv2d(8, 8, 3, bias=False), activation, nn.Flatten(), nn.Linear(32, 1, bias=False),
        )  # fmt: skip
        found = small_networks.network_map(network, 3)
        return resolved.certificate(found, ascended(found, found.flatten()))

    class Smooth(nn.Module):
        def forward(self, z):
            return 0.5 * (z + (z.square() + 0.09 * z.square().mean((1, 2, 3), keepdim=True)).sqrt())

    assert with_activation(Smooth()).radius == 0
    assert with_activation(nn.ReLU()).radius == resolved.RADIUS


def test_what_has_no_hard_margin_problem_is_refused():
    with pytest.raises(ValueError, match="without a degree"):
        resolved.certificate(FunctionMap(lambda w: w[:, None], None), vector(1.0, 0.0))
    with pytest.raises(ValueError, match="must be above zero, got -1"):
        resolved.certificate(ROOF, vector(-1.0, 0.0))
