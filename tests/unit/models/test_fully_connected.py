"""Fully connected networks on images: what they compute, their degree, their size, and how a study asks for them."""

import pytest
import torch

from dirconv import artifacts, models
from dirconv.errors import UserError
from dirconv.margins.network import NetworkMap
from dirconv.problems import _dense
from dirconv.stages import homogeneity

ACTIVATIONS = ("linear", "relu", "leaky_relu", "squared_relu")


def made(outputs=1, side=4, channels=3, **options):
    """The specification and the network in float64."""
    spec = models.specification({"name": "fully_connected", **options}, "model")
    return spec, models.create(spec, channels, outputs, torch.Generator().manual_seed(0), side=side).double()


def network_map(outputs=1, side=4, images=6, **options):
    spec, network = made(outputs, side, **options)
    x = torch.randn(images, 3, side, side, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    y = torch.arange(images) % outputs if outputs > 1 else 1.0 - 2.0 * (torch.arange(images) % 2)
    return NetworkMap(network, x, y, spec.degree, spec.coupled)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", [[], [7], [6, 5]])
def test_it_computes_what_the_small_problems_networks_compute(activation, hidden):
    """Written apart from them, with weights in a list instead of modules."""
    _, network = made(hidden=hidden, activation=activation)
    x = torch.randn(3, 3, 4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected = x.flatten(1)
    for i, weight in enumerate(network.parameters()):
        expected = (_dense.activate(activation, expected) if i else expected) @ weight.T
    torch.testing.assert_close(network(x), expected)


@pytest.mark.parametrize(("layers", "hidden"), [(1, []), (2, [9]), (3, [9, 9]), (4, [9, 9, 9])])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_its_degree_is_that_of_the_small_problems_networks(activation, layers, hidden):
    spec, _ = made(hidden=hidden, activation=activation)
    assert spec.degree == _dense.Network(layers=layers, activation=activation).network_degree


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("outputs", [1, 3])
def test_it_is_homogeneous_of_its_degree(activation, outputs):
    found = network_map(outputs, hidden=[8, 5], activation=activation)
    assert found.degree == (7 if activation == "squared_relu" else 3)
    weights = found.flatten()
    margins = found.values(weights)
    for scale in (1e-6, 0.3, 1e6):
        scaled = found.values(scale * weights) / scale**found.degree
        assert float((scaled - margins).abs().max()) <= 1e-12 * float(margins.abs().max())


def test_gram_by_layers_is_that_example_by_example():
    for activation in ACTIVATIONS:
        found = network_map(3, hidden=[8, 5], activation=activation)
        weights, everyone = found.flatten(), torch.arange(6)
        apart = NetworkMap(found.network, found.images, found.labels, found.degree, layerwise=False)
        gram = found.rows(weights, everyone).gram()
        torch.testing.assert_close(gram, apart.rows(weights, everyone).gram(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("side", "pixels"), [(32, 3072), (8, 192)])
def test_its_first_layer_has_an_input_for_every_pixel_of_every_channel(side, pixels):
    spec = models.specification({"name": "fully_connected"}, "model")
    network = models.create(spec, 3, 1, torch.Generator(), side=side)
    assert [tuple(weight.shape) for weight in network.parameters()] == [(1000, pixels), (1, 1000)]
    assert network(torch.zeros(2, 3, side, side)).shape == (2, 1)


@pytest.mark.parametrize("activation", ["relu", "squared_relu"])
def test_its_degree_passes_the_stage_that_checks_it_before_training(tmp_path, activation):
    spec = models.specification({"name": "fully_connected", "hidden": [20, 10], "activation": activation}, "model")
    options = {"name": "fully_connected", "hidden": [20, 10], "activation": activation}
    job = {"run": "dense", "seed": 0, "model": options, "degree": spec.degree, "outputs": 1, "scale": 1.0}
    homogeneity.run(job, tmp_path)
    homogeneity.require(tmp_path, "dense")
    table = artifacts.read_table(tmp_path / "homogeneity.parquet")
    assert table["estimated_degree"].tolist() == pytest.approx([spec.degree] * len(table), abs=1e-9)


def test_another_degree_is_refused_by_that_stage(tmp_path):
    options = {"name": "fully_connected", "hidden": [20], "activation": "squared_relu"}
    job = {"run": "dense", "seed": 0, "model": options, "degree": 2, "outputs": 1, "scale": 1.0}
    homogeneity.run(job, tmp_path)
    with pytest.raises(UserError, match=r"runs\.dense: declared homogeneous of degree 2"):
        homogeneity.require(tmp_path, "dense")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": [10, 0]}, "model.hidden: every layer needs at least one unit, got [10, 0]"),
        ({"hidden": 1000}, "model.hidden: "),
        ({"hidden": [1.5]}, "model.hidden.0: "),
        ({"activation": "tanh"}, "model.activation: "),
        ({"width": 10}, "model.width: unknown key"),
    ],
)
def test_bad_options_are_one_line_that_names_the_key(options, message):
    with pytest.raises(UserError) as caught:
        models.specification({"name": "fully_connected", **options}, "model")
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)
