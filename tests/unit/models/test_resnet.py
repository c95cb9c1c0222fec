"""The small ResNet: which variants are homogeneous, and that the map's shortcuts hold on residual connections."""

import pytest
import torch

from dirconv import models
from dirconv.errors import UserError
from dirconv.homogeneity import deviations
from dirconv.margins.network import NetworkMap

SCALES = (0.5, 2.0)


def network_map(images=4, side=8, declared="own", **options):
    generator = torch.Generator().manual_seed(0)
    spec = models.specification({"name": "resnet", "width": 0.25, **options}, "model")
    network = models.create(spec, 3, 1, generator).double()
    x = torch.randn(images, 3, side, side, generator=generator, dtype=torch.float64)
    y = 1.0 - 2.0 * (torch.arange(images) % 2)
    degree = spec.degree if declared == "own" else declared
    return NetworkMap(network, x, y, degree, spec.coupled, chunk=images, keep=images)


def deviation(margin_map):
    rows = deviations(margin_map, margin_map.flatten(), SCALES, torch.Generator().manual_seed(1))
    return max(row["deviation"] for row in rows)


@pytest.mark.parametrize("blocks", [1, 2])
def test_with_weighted_skips_it_is_homogeneous(blocks):
    found = network_map(skip="weighted", blocks=blocks)
    assert found.degree == 2 + 6 * blocks
    assert deviation(found) < 1e-10


@pytest.mark.parametrize(
    "options",
    [{}, {"skip": "weighted", "biases": True}, {"skip": "weighted", "normalization": True}, {"normalization": True}],
)
def test_the_others_state_no_degree_and_have_none(options):
    assert network_map(**options).degree is None
    assert deviation(network_map(declared=8, **options)) > 1e-3


def test_identity_skips_have_no_weights():
    plain, weighted = network_map(), network_map(skip="weighted")
    assert plain.flatten().numel() < weighted.flatten().numel()
    assert len(plain.blocks) == 1 + 2 * 3 + 1 and len(weighted.blocks) == 1 + 4 * 3 + 1


@pytest.mark.parametrize(
    "options", [{}, {"skip": "weighted"}, {"biases": True}, {"skip": "weighted", "normalization": True}]
)
def test_rows_and_inner_products_are_those_of_autograd(options):
    found = network_map(images=3, **options)
    weights = found.flatten()
    found = found.frozen(weights)  # with batch statistics fixed, where there are any
    margins, pullback = found.linearize(weights)
    jacobian = torch.stack([pullback(row.view_as(margins)) for row in torch.eye(3, dtype=torch.float64)])
    rows = found.rows(weights, torch.arange(3))
    torch.testing.assert_close(rows.gram(), jacobian @ jacobian.T, rtol=1e-9, atol=1e-9)
    q = torch.tensor([[0.2], [0.5], [0.3]], dtype=torch.float64)
    torch.testing.assert_close(rows.pullback(q), jacobian.T @ q[:, 0], rtol=1e-9, atol=1e-9)


def test_batch_statistics_couple():
    assert network_map(normalization=True).coupled and not network_map().coupled


@pytest.mark.parametrize(
    ("options", "message"),
    [({"blocks": 0}, "blocks: must be above zero"), ({"width": 0.01}, "width: must leave"), ({"skip": "no"}, "skip")],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(UserError, match=message):
        models.specification({"name": "resnet", **options}, "model")
