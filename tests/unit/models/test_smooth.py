"""The smooth activation and AlexNet with it: degree, limit ε → 0, zero images, Lipschitz gradients across kinks."""

import copy
import itertools

import pytest
import torch
from torch import nn
from torch.func import jvp

from dirconv import losses, models
from dirconv.errors import UserError
from dirconv.homogeneity import deviations
from dirconv.margins.batch import BatchGradient
from dirconv.margins.network import NetworkMap
from dirconv.models import alexnet


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network_map(activation="smooth", outputs=1, images=5, declared="own", dtype=torch.float64, **options):
    """AlexNet at a tenth of its width and its margin map on normal images."""
    spec = models.specification({"name": "alexnet", "width": 0.1, "activation": activation, **options}, "model")
    network = models.create(spec, 3, outputs, torch.Generator().manual_seed(0)).to(dtype)
    x = normal(images, 3, 32, 32, seed=1).to(dtype)
    y = torch.arange(images) % outputs if outputs > 1 else 1.0 - 2.0 * (torch.arange(images) % 2)
    return NetworkMap(network, x, y, spec.degree if declared == "own" else declared, spec.coupled)


# the activation -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("softness", [0.3, 1e-3])
def test_each_image_has_its_own_width(softness):
    z = normal(4, 3, 2, 2)
    root_mean_square = z.flatten(1).square().mean(1).sqrt().view(4, 1, 1, 1)
    expected = (z + torch.hypot(z, softness * root_mean_square)) / 2
    torch.testing.assert_close(alexnet.smooth(softness)(z), expected, rtol=1e-13, atol=1e-15)
    torch.testing.assert_close(alexnet.smooth(softness)(z[2:3]), expected[2:3], rtol=1e-13, atol=1e-15)


def test_it_lies_above_relu_by_at_most_half_its_width_and_by_that_at_zero():
    z = normal(3, 50)
    z[:, 0] = 0
    for softness in (0.3, 1e-3, 1e-6):
        half = softness * z.square().mean(1, keepdim=True).sqrt() / 2
        above = alexnet.smooth(softness)(z) - z.relu()
        assert float(above.min()) >= 0 and bool((above <= half * (1 + 1e-12)).all())
        torch.testing.assert_close(above[:, :1], half, rtol=1e-12, atol=0)


def test_its_gradient_obeys_eulers_identity_and_finite_differences():
    phi, z, towards = alexnet.smooth(0.3), normal(3, 7).requires_grad_(), normal(3, 7, seed=1)
    value = (phi(z) * towards).sum()
    (gradient,) = torch.autograd.grad(value, z)
    assert float((z * gradient).detach().sum()) == pytest.approx(float(value.detach()), rel=1e-13)
    assert torch.autograd.gradcheck(phi, z)
    assert torch.autograd.gradgradcheck(phi, z)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_an_image_of_zeros_stays_zero_with_a_gradient_of_zero(dtype):
    z = normal(2, 5).to(dtype)
    z[0] = 0
    z.requires_grad_()
    found = alexnet.smooth(0.3)(z)
    assert found.dtype == dtype and not found[0].any() and found[1].all()
    (gradient,) = torch.autograd.grad(found.sum(), z, create_graph=True)
    assert not gradient[0].any() and gradient[1].all()
    (second,) = torch.autograd.grad(gradient.square().sum(), z)
    assert not second[0].any() and bool(second.isfinite().all())


# the network ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outputs", [1, 4])
@pytest.mark.parametrize("softness", [0.3, 0.01])
def test_smooth_alexnet_is_homogeneous_of_degree_six_at_every_scale(outputs, softness):
    found = network_map(outputs=outputs, softness=softness)
    assert found.degree == 6
    assert not any(isinstance(module, nn.ReLU | nn.MaxPool2d) for module in found.network)
    weights = found.flatten()
    margins, pullback = found.linearize(weights)
    gradient = pullback(torch.ones_like(margins))
    for scale in (1e-6, 0.1, 3.0, 1e6):
        values, scaled = found.linearize(scale * weights)
        assert float((values / scale**6 - margins).abs().max()) <= 1e-12 * float(margins.abs().max())
        difference = scaled(torch.ones_like(margins)) / scale**5 - gradient
        assert float(difference.norm()) <= 1e-12 * float(gradient.norm())
    assert float(weights @ gradient) == pytest.approx(6 * float(margins.sum()), rel=1e-11)


def test_smooth_alexnet_with_biases_has_no_degree_and_is_not_homogeneous():
    assert network_map(biases=True).degree is None
    declared = network_map(biases=True, declared=6)
    (row,) = deviations(declared, declared.flatten(), (2.0,), torch.Generator().manual_seed(0))
    assert row["deviation"] > 1e-3


def test_without_softness_it_is_relu_with_average_pooling():
    found = network_map()
    weights = found.flatten()
    layers = copy.deepcopy(found.network)
    for i in (1, 4, 7, 9, 11):
        layers[i] = nn.ReLU()
    assert sum(isinstance(layer, nn.AvgPool2d) for layer in layers) == 3
    limit = NetworkMap(layers, found.images, found.labels, 6)
    expected = limit.values(weights)

    def distance(softness):
        return float((network_map(softness=softness).values(weights) - expected).abs().max() / expected.abs().max())

    assert distance(0.3) > 0.1
    # of the units a share ε lies where φ is off by ε
    assert 1e-6 < distance(1e-3) < 1e-3 and distance(1e-6) < 1e-8


def at_a_kink(found):
    """Weights at which one unit of the third convolution is zero on the first image, and the direction across.

    Along u, the unit's patch of inputs, its value grows at the patch's norm. Of all units, the one that moves p most.
    """
    network, image = found.network, found.images[:1]
    number = [i for i, layer in enumerate(network) if isinstance(layer, nn.Conv2d)][2]
    with torch.no_grad():
        inputs = network[:number](image)
    outputs = network[number](inputs).detach().requires_grad_()
    (slope,) = torch.autograd.grad(network[number + 1 :](outputs).sum(), outputs)
    channel, down, across = (int(i) for i in torch.unravel_index(slope[0].abs().argmax(), slope.shape[1:]))
    patch = nn.functional.pad(inputs[0], (1, 1, 1, 1))[:, down : down + 3, across : across + 3]
    kernels = torch.zeros_like(network[number].weight)
    kernels[channel] = patch / patch.norm()
    (block,) = [block for block in found.blocks if block.name == f"{number}.weight"]
    u, weights = torch.zeros_like(found.flatten()), found.flatten()
    u[block.start : block.stop] = kernels.detach().flatten()
    return weights - float(outputs[0, channel, down, across].detach() / patch.norm()) * u, u


@pytest.mark.parametrize("activation", ["smooth", "relu"])
def test_the_gradient_is_lipschitz_across_a_kink_and_jumps_with_relu(activation):
    found = network_map(activation, images=1)
    weights, u = at_a_kink(found)

    def slope(distance):
        one, other = (
            found.linearize(weights + sign * distance * u)[1](torch.ones(1, 1, dtype=torch.float64)) for sign in (1, -1)
        )
        return float((one - other).norm()) / (2 * distance)

    slopes = [slope(10.0**-k) for k in (4, 5, 6, 7)]
    growth = [after / before for before, after in itertools.pairwise(slopes)]
    if activation == "smooth":
        assert growth == pytest.approx([1.0] * 3, abs=1e-3)
    else:
        assert growth == pytest.approx([10.0] * 3, rel=1e-3)  # ‖∇p(W + δu) − ∇p(W − δu)‖ does not go to zero


@pytest.mark.filterwarnings("ignore:.*torch.jit.script")  # torch's own, on the way to forward mode
def test_forward_mode_agrees_with_the_pullback():
    found = network_map()
    weights, velocity, q = found.flatten(), normal(len(found.flatten()), seed=2), normal(5, 1, seed=3)
    values, rates = jvp(lambda w: found.margins(w, found.images, found.labels), (weights,), (velocity,))
    margins, pullback = found.linearize(weights)
    torch.testing.assert_close(values, margins)
    assert float((rates * q).sum()) == pytest.approx(float(velocity @ pullback(q)), rel=1e-11)


def test_a_batchs_gradient_in_bfloat16_is_near_that_in_float32():
    found = network_map(dtype=torch.float32)
    single, reduced = (
        BatchGradient(found, losses.get("logistic"), arithmetic)(found.flatten(), torch.arange(5)).clone()
        for arithmetic in ("float32", "bfloat16")
    )
    assert not torch.equal(single, reduced)
    assert float((single - reduced).norm() / single.norm()) < 0.03


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"activation": "soft"}, "model.activation: "),
        ({"activation": "smooth", "softness": 0.0}, "model.softness: must be above zero and finite, got 0.0"),
        ({"activation": "smooth", "softness": float("inf")}, "model.softness: "),
        ({"softness": 0.1}, "model.softness: ReLU has none; leave it out, or give activation: smooth"),
    ],
)
def test_bad_options_are_one_line_that_names_the_key(options, message):
    with pytest.raises(UserError) as caught:
        models.specification({"name": "alexnet", **options}, "model")
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)
