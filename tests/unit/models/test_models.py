"""Networks: the degree they declare, Euler's identity, parameter counts, what batch normalization leaves invariant."""

import math

import pytest
import torch
import torchvision
from torch import nn

from dirconv import losses, models
from dirconv.errors import UserError
from dirconv.homogeneity import deviations
from dirconv.margins.network import NetworkMap


def network_map(options, outputs=1, images=5, side=32, seed=0, chunk=500):
    """A network in float64 and its margin map on normal images."""
    generator = torch.Generator().manual_seed(seed)
    spec = models.specification(options, "model")
    network = models.create(spec, 3, outputs, generator).double()
    x = torch.randn(images, 3, side, side, generator=generator, dtype=torch.float64)
    y = torch.arange(images) % outputs if outputs > 1 else 1.0 - 2.0 * (torch.arange(images) % 2)
    return NetworkMap(network, x, y, spec.degree, spec.coupled, chunk=chunk, keep=0)


@pytest.mark.parametrize("width", [0.03125, 0.1, 0.25])
@pytest.mark.parametrize("outputs", [1, 4])
def test_alexnet_is_homogeneous_of_degree_six(width, outputs):
    found = network_map({"name": "alexnet", "width": width}, outputs)
    assert found.degree == 6
    weights = found.flatten()
    base = found.values(weights)
    assert base.abs().min() > 0
    for scale in (0.1, 0.7, 3.0, 10.0):
        expected = scale**6 * base
        assert (found.values(scale * weights) - expected).abs().max() <= 1e-12 * expected.abs().max()


@pytest.mark.parametrize("outputs", [1, 4])
def test_alexnets_margins_obey_eulers_identity_one_by_one(outputs):
    found = network_map({"name": "alexnet", "width": 0.1}, outputs)
    weights = found.flatten()
    margins, pullback = found.linearize(weights)
    for index in range(margins.numel()):
        unit = torch.zeros(margins.numel(), dtype=torch.float64)
        unit[index] = 1
        inner = float(weights @ pullback(unit.view_as(margins)))
        assert inner == pytest.approx(6 * float(margins.flatten()[index]), rel=1e-11)


def test_every_layer_of_alexnet_has_degree_one():
    found = network_map({"name": "alexnet", "width": 0.1})
    weights = found.flatten()
    q = torch.ones(5, 1, dtype=torch.float64)
    margins, pullback = found.linearize(weights)
    product = weights * pullback(q)
    assert len(found.blocks) == 6
    for block in found.blocks:
        assert float(product[block.start : block.stop].sum()) == pytest.approx(float(margins.sum()), rel=1e-11)


def test_alexnet_with_biases_has_no_degree_and_is_not_homogeneous():
    biased = network_map({"name": "alexnet", "width": 0.1, "biases": True})
    plain = network_map({"name": "alexnet", "width": 0.1})
    assert biased.degree is None
    assert len(biased.flatten()) > len(plain.flatten())
    declared = NetworkMap(biased.network, biased.images, biased.labels, degree=6)
    (row,) = deviations(declared, declared.flatten(), (2.0,), torch.Generator().manual_seed(0))
    assert row["deviation"] > 1e-3


def test_alexnet_has_the_parameters_of_its_widths():
    full = models.create(models.specification({"name": "alexnet"}, "m"), 3, 1, torch.Generator())
    kernels = 3 * 64 * 121 + 64 * 192 * 25 + 192 * 384 * 9 + 384 * 256 * 9 + 256 * 256 * 9 + 256
    assert sum(p.numel() for p in full.parameters()) == kernels


def test_densenet_100_12_has_the_parameters_of_the_original():
    spec = models.specification({"name": "densenet", "depth": 100, "growth": 12}, "m")
    network = models.create(spec, 3, 10, torch.Generator())
    assert sum(p.numel() for p in network.parameters()) == 769162
    assert sum(isinstance(m, nn.Conv2d | nn.Linear) for m in network.modules()) == 100
    assert spec.degree is None
    assert spec.coupled


@pytest.mark.parametrize(("depth", "growth"), [(10, 1), (16, 3), (22, 4)])
def test_densenet_takes_every_depth_of_six_m_plus_four(depth, growth):
    spec = models.specification({"name": "densenet", "depth": depth, "growth": growth}, "m")
    network = models.create(spec, 3, 2, torch.Generator())
    assert sum(isinstance(m, nn.Conv2d | nn.Linear) for m in network.modules()) == depth
    assert network(torch.zeros(2, 3, 8, 8)).shape == (2, 2)


def test_densenet121_is_torchvisions_behind_another_stem():
    """Same parameters in the same order, so that with the same weights and the same stem the logits are the same."""
    spec = models.specification({"name": "densenet121"}, "m")
    ours = models.create(spec, 3, 5, torch.Generator().manual_seed(0)).double().eval()
    theirs = torchvision.models.densenet121(num_classes=5).double().eval()
    stem = nn.Conv2d(3, 64, 3, padding=1, bias=False).double()
    theirs.features.conv0, theirs.features.pool0 = stem, nn.Identity()
    assert sum(p.numel() for p in ours.parameters()) == 6_953_856 + 64 * 27 - 64 * 147 + 1024 * 5 + 5
    with torch.no_grad():
        for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            other.copy_(mine)
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-10, atol=1e-10)
    assert spec.degree is None
    assert spec.coupled


def test_layers_before_batch_normalization_are_scale_invariant():
    """⟨W_k, ∇_k ℒ⟩ is of the order of BN's ε, and falls with it; the last layer, behind it, is not invariant."""
    found = network_map({"name": "densenet", "depth": 10, "growth": 4}, 4, images=8, side=8)
    weights = found.flatten()
    layers = [m for m in found.network.modules() if isinstance(m, nn.BatchNorm2d)]
    convolutions = [block for block in found.blocks if len(block.shape) == 4]
    assert len(convolutions) == 9

    def cosines(epsilon):
        for layer in layers:
            layer.eps = epsilon
        margins, pullback = found.linearize(weights)
        gradient = pullback(losses.get("cross_entropy").weights(margins))
        return [
            float(nn.functional.cosine_similarity(weights[b.start : b.stop], gradient[b.start : b.stop], 0).abs())
            for b in found.blocks
            if len(b.shape) in (2, 4)
        ]

    usual, tenth, hundredth, none = (cosines(epsilon) for epsilon in (1e-5, 1e-6, 1e-7, 1e-18))
    assert max(usual[:-1]) < 2e-3
    assert max(none[:-1]) < 1e-11
    assert sum(usual[:-1]) / sum(tenth[:-1]) == pytest.approx(10, rel=0.02)
    assert sum(tenth[:-1]) / sum(hundredth[:-1]) == pytest.approx(10, rel=0.02)
    assert usual[-1] > 0.01


def test_without_batch_statistics_those_layers_are_not_invariant():
    found = network_map({"name": "densenet", "depth": 10, "growth": 4}, 1, images=8, side=8)
    weights = found.flatten()
    frozen = found.frozen(weights)
    (block,) = [b for b in found.blocks if b.name == "0.weight"]
    margins, pullback = frozen.linearize(weights)
    gradient = pullback(losses.get("logistic").weights(margins))[block.start : block.stop]
    kernel = weights[block.start : block.stop]
    assert abs(float(kernel @ gradient)) > 1e-2 * float(kernel.norm() * gradient.norm())


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_weights_are_drawn_with_he_variance(scale):
    spec = models.specification({"name": "alexnet", "width": 0.5, "biases": True}, "m")
    network = models.create(spec, 3, 2, torch.Generator().manual_seed(3), scale)
    for layer in (m for m in network if isinstance(m, nn.Conv2d)):
        weight, fan_in = layer.weight.detach(), layer.weight[0].numel()
        deviation = scale * math.sqrt(2 / fan_in)
        count = weight.numel()
        assert float(weight.std()) == pytest.approx(deviation, rel=4 / math.sqrt(2 * count))  # four standard errors
        assert abs(float(weight.mean())) < 4 * deviation / math.sqrt(count)
        assert float(layer.bias.detach().abs().max()) <= fan_in**-0.5


def test_the_generator_alone_decides_the_weights():
    spec = models.specification({"name": "densenet", "depth": 10, "growth": 2}, "m")

    def drawn(seed):
        network = models.create(spec, 3, 1, torch.Generator().manual_seed(seed))
        return torch.cat([p.detach().flatten() for p in network.parameters()])

    first = drawn(1)
    torch.rand(3)  # the global generator has no part in it
    assert torch.equal(first, drawn(1))
    assert not torch.equal(first, drawn(2))


def test_validated_options_give_the_same_specification():
    for options in ({"name": "alexnet", "width": 0.5, "biases": True}, {"name": "densenet", "depth": 16, "growth": 3}):
        assert models.from_options(options) == models.specification(options, "m")


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"name": "densnet"}, "model.name: unknown 'densnet'; did you mean 'densenet'?"),
        ({}, "model.name"),
        ({"name": 5}, "model.name"),
        ({"name": "alexnet", "widht": 1.0}, "model.widht: unknown key; did you mean 'width'?"),
        ({"name": "alexnet", "width": 0.01}, "model.width"),
        ({"name": "alexnet", "width": -1.0}, "model.width"),
        ({"name": "alexnet", "width": math.inf}, "model.width"),
        ({"name": "alexnet", "width": math.nan}, "model.width"),
        ({"name": "alexnet", "width": "wide"}, "model.width"),
        ({"name": "alexnet", "biases": 1}, "model.biases"),
        ({"name": "densenet", "depth": 4}, "model.depth"),
        ({"name": "densenet", "depth": 12}, "model.depth"),
        ({"name": "densenet", "depth": 40.0001}, "model.depth"),
        ({"name": "densenet", "growth": 0}, "model.growth"),
        ({"name": "densenet", "growth": True}, "model.growth"),
    ],
)
def test_bad_options_are_one_line_that_names_the_key(options, key):
    with pytest.raises(UserError) as caught:
        models.specification(options, "model")
    message = str(caught.value)
    assert message.startswith(key)
    assert "\n" not in message
