"""Input gradients: of networks whose gradients are known, against finite differences."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
import torch
from small_networks import convolutional, network_map, trajectory
from torch import nn

from dirconv.measures import saliency

SIDE = 8


def linear_map(count=5, outputs=1, side=SIDE):
    network = nn.Sequential(nn.Flatten(), nn.Linear(2 * side * side, outputs, bias=False))
    found = network_map(network, 1, count, classes=2 if outputs == 1 else outputs)
    return found if side == SIDE else found.on(found.images[:, :, :side, :side], found.labels)


def unit(seed, size=2 * SIDE * SIDE):
    vector = torch.randn(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return vector / vector.norm()


def turned(angle):
    """A unit vector at that angle from the first of two that are orthogonal."""
    first, second = unit(0), unit(1)
    second = second - first * (first @ second)
    return math.cos(angle) * first + math.sin(angle) * second / second.norm()


def test_a_linear_network_has_one_gradient_for_all_images_and_all_scales():
    found = linear_map()
    table = saliency.table(trajectory(found, [scale * turned(0.0) for scale in (0.5, 2.0, 30.0)]))
    assert len(table) == 15
    assert table.loc[table["snapshot"] > 0, "moved"].max() < 1e-15
    assert table["to_last"].max() < 1e-15
    assert table.loc[table["snapshot"] == 0, "moved"].isna().all()
    np.testing.assert_allclose(table["norm"], np.repeat([0.5, 2.0, 30.0], 5), rtol=1e-6)


def test_its_gradient_turns_as_its_weights_do():
    angles = [0.0, 0.3, 0.1, 2.5, 2.5 + 1e-6]  # back, past a right angle, and by very little
    table = saliency.table(trajectory(linear_map(), [(1 + i) * turned(a) for i, a in enumerate(angles)]))
    for _, of_example in table.groupby("example"):
        np.testing.assert_allclose(of_example["moved"][1:], np.abs(np.diff(angles)), rtol=1e-6)
        np.testing.assert_allclose(of_example["over_two"][2:], np.abs(np.subtract(angles[2:], angles[:-2])), rtol=1e-6)
        np.testing.assert_allclose(of_example["to_last"], np.abs(np.array(angles) - angles[-1]), rtol=1e-6)
        assert of_example["over_two"][:2].isna().all()


def test_pictures_are_the_largest_of_the_channels_over_their_maximum(tmp_path):
    found = linear_map(count=40)
    weights = turned(0.0)
    saliency.table(trajectory(found, [weights, 2 * weights])).to_parquet(tmp_path / "table.parquet")
    table = pd.read_parquet(tmp_path / "table.parquet")
    assert sorted(table["example"].unique()) == list(range(saliency.EXAMPLES))
    size = weights.view(2, SIDE, SIDE).abs().amax(0)
    shown = table.dropna(subset=["picture"])
    assert [*zip(shown["snapshot"], shown["example"], strict=True)] == [(s, e) for s in (0, 1) for e in range(4)]
    for picture in shown["picture"]:
        np.testing.assert_array_equal(picture, (255 * size / size.max()).round().flatten().numpy())
        assert picture.dtype == np.uint8


def test_a_long_run_keeps_few_pictures_and_a_small_file(tmp_path):
    found = linear_map(count=40)
    table = saliency.table(trajectory(found, [turned(0.01 * i) for i in range(60)]))
    pictured = table.dropna(subset=["picture"])["snapshot"].unique()
    assert len(pictured) == saliency.PICTURES
    assert {0, 59} <= set(pictured)
    table.to_parquet(tmp_path / "table.parquet", compression="zstd")
    assert (tmp_path / "table.parquet").stat().st_size < 200_000


@pytest.mark.parametrize("reshape", [lambda x: x.flatten(1), lambda x: x[:, :, :, :4]], ids=["vectors", "not square"])
def test_what_is_no_square_image_has_angles_and_no_picture(reshape):
    found = linear_map()
    found = found.on(reshape(found.images), found.labels)
    found = dataclasses.replace(found, network=nn.Sequential(nn.Flatten(), nn.Linear(found.images[0].numel(), 1)))
    table = saliency.table(trajectory(found, [found.flatten(), 2 * found.flatten()]))
    assert table["picture"].isna().all()
    assert table["norm"].gt(0).all()


def test_a_gradient_that_vanishes_has_no_direction_and_no_picture():
    found = network_map(convolutional(), 3)
    weights = found.flatten()
    silent = weights.clone()
    silent[found.blocks[-1].start :] = 0
    table = saliency.table(trajectory(found, [weights, silent, weights]))
    assert table.loc[table["snapshot"] == 1, ["moved", "to_last"]].isna().all(axis=None)
    assert table.loc[table["snapshot"] == 2, "moved"].isna().all()
    assert table.loc[table["snapshot"] == 2, "over_two"].eq(0).all()
    assert table.loc[table["snapshot"] == 1, "picture"].isna().all()


@pytest.mark.parametrize("outputs", [1, 3])
def test_gradients_are_the_margins_finite_differences(outputs):
    found = network_map(convolutional(outputs=outputs), 3, classes=max(2, outputs)).precise()
    weights = found.flatten()
    gradient, other = saliency.gradients(found, weights)
    size = 1e-6
    generator = torch.Generator().manual_seed(8)
    for _ in range(3):
        shift = torch.randn(found.images.shape, generator=generator, dtype=torch.float64)
        pair = [found.on(found.images.double() + sign * size * shift, found.labels).values(weights) for sign in (1, -1)]
        slope = (pair[0] - pair[1]).gather(1, other[:, None])[:, 0] / (2 * size)
        torch.testing.assert_close((gradient * shift).flatten(1).sum(1), slope, rtol=1e-6, atol=1e-8)
    assert torch.equal(other, found.values(weights).argmin(1))
    assert not found.images.requires_grad


def test_of_several_classes_it_is_the_one_that_is_nearest_at_the_end():
    """Linear, three classes: ∇_x p = w_y − w_k. The rival of class 0 is class 1 at first and class 2 at last."""
    found = linear_map(count=1, outputs=3)
    x = found.images[0].double().flatten()
    x = x / x.norm()
    a, b = unit(5), unit(6)

    def weights(first, second):
        return torch.cat([3 * x, a + first * x - (a @ x) * x, b + second * x - (b @ x) * x])

    run = trajectory(found, [weights(2.0, 1.0), weights(1.0, 2.0)])
    table = saliency.table(run)
    expected = [w.view(3, -1)[0] - w.view(3, -1)[2] for w in run.weights]
    np.testing.assert_allclose(table["norm"], [float(v.norm()) for v in expected], rtol=1e-6)
    cosine = float(expected[0] @ expected[1] / (expected[0].norm() * expected[1].norm()))
    assert table["moved"][1] == pytest.approx(math.acos(cosine), rel=1e-5)


def test_batch_statistics_are_fixed_at_the_snapshots_own_average():
    network = convolutional(norm=True)
    found = network_map(network, None, count=9, coupled=True)
    weights = [found.flatten(), 1.3 * found.flatten() + 0.05]
    table = saliency.table(trajectory(found, weights))
    for snapshot, w in enumerate(weights):
        own = convolutional(norm=True)
        own.load_state_dict(network.state_dict())
        nn.utils.vector_to_parameters(w.float(), own.parameters())
        inner = own[0](found.images)
        batches = inner.split(found.chunk)
        own[1].running_mean = torch.stack([b.mean((0, 2, 3)) for b in batches]).mean(0).detach()
        own[1].running_var = torch.stack([b.var((0, 2, 3)) for b in batches]).mean(0).detach()
        x = found.images.clone().requires_grad_()
        gradient = torch.autograd.grad(own.eval()(x).sum(), x)[0]
        norms = table.loc[table["snapshot"] == snapshot, "norm"]
        np.testing.assert_allclose(norms, gradient.flatten(1).norm(dim=1), rtol=1e-4)
    assert found.network.training  # as the flow wants it
