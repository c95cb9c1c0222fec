"""Probes: the degree that a network has where it is, and what becomes of test images."""

import math

import numpy as np
import pandas as pd
import pytest
import small_networks
import torch

from dirconv import losses, models
from dirconv.artifacts import read_table, write_table
from dirconv.kkt.resolved import RADIUS
from dirconv.margins.network import NetworkMap
from dirconv.measures import Trajectory
from dirconv.probes import degree, generalization, kkt


def trajectory(options, outputs=1, loss="logistic", dtype=torch.float64, images=12):
    generator = torch.Generator().manual_seed(0)
    spec = models.specification(options, "model")
    network = models.create(spec, 3, outputs, generator).to(dtype)
    x = torch.randn(2 * images, 3, 32, 32, generator=generator, dtype=dtype)
    y = torch.arange(2 * images) % outputs if outputs > 1 else 1.0 - 2.0 * (torch.arange(2 * images) % 2)
    train = NetworkMap(network, x[:images], y[:images], spec.degree, spec.coupled, chunk=images)
    weights = torch.stack([train.flatten(), 1.5 * train.flatten()])
    loss = losses.get(loss)
    ln_risks = [float(loss.ln_risk(train.values(w))) for w in weights]
    steps = pd.DataFrame({"step": [0, 1], "ln_risk": ln_risks, "norm": [float(w.norm()) for w in weights], "cos": 0.5})
    for column in ("zeta", "unnormalised_margin", "evaluations"):
        steps.insert(1, column, 0.0)
    steps.insert(1, "tau", np.log(steps["norm"] / steps["norm"][0]))
    return Trajectory(pd.DataFrame(), steps, np.array([0, 1]), weights, train, train.on(x[images:], y[images:]), loss)


@pytest.mark.parametrize("outputs", [1, 3])
def test_a_homogeneous_network_has_its_degree_at_every_example(outputs):
    loss = "cross_entropy" if outputs > 1 else "logistic"
    table = degree.table(trajectory({"name": "alexnet", "width": 0.1}, outputs, loss))
    for column in ("degree_mean", "degree_q05", "degree_q50", "degree_q95"):
        assert np.allclose(table[column], 6, rtol=0, atol=1e-8)
    assert table["snapshot"].tolist() == [0, 1]


@pytest.mark.parametrize(
    "options", [{"name": "alexnet", "width": 0.1, "biases": True}, {"name": "resnet", "width": 0.25}]
)
def test_others_have_none(options):
    table = degree.table(trajectory(options))
    assert (table["degree_q95"] - table["degree_q05"] > 1e-3).all()


def test_it_is_eulers_inner_product():
    found = trajectory({"name": "resnet", "width": 0.25})
    table = degree.table(found)
    weights = found.weights[0]
    margins, pullback = found.train.linearize(weights)
    q = found.loss.weights(margins)
    assert math.isclose(
        table["degree_mean"][0], float(weights @ pullback(q)) / float((q * margins).sum()), rel_tol=1e-7
    )


@pytest.mark.parametrize("outputs", [1, 3])
def test_generalization_is_what_the_test_images_say(outputs):
    loss = "cross_entropy" if outputs > 1 else "logistic"
    found = trajectory({"name": "alexnet", "width": 0.1}, outputs, loss)
    table = generalization.table(found)
    margins = found.test.values(found.weights[1]).amin(1)
    row = table.iloc[1]
    assert row["test_error"] == float((margins <= 0).double().mean())
    assert math.isclose(row["margin_q50"], float(margins.quantile(0.5)) / row["norm"] ** 6)
    assert row["radius_attack_q25"] <= row["radius_attack_q50"] <= row["radius_attack_q75"]
    # two rows, one direction: distances do not depend on the scale of the weights
    assert math.isclose(table["radius_attack_q50"][0], row["radius_attack_q50"], rel_tol=0.02)
    assert math.isclose(table["radius_first_order_q50"][0], row["radius_first_order_q50"], rel_tol=1e-6)


def test_the_certificate_depends_on_the_direction_alone_and_is_a_row_an_example_when_asked(tmp_path):
    found = small_networks.network_map(small_networks.convolutional(), 3)
    start = classified(found)
    table = kkt.table(small_networks.trajectory(found, [start, 1e3 * start, -start]))
    first, second, unclassified = (row for _, row in table.iterrows())
    assert first["epsilon"] == pytest.approx(second["epsilon"], rel=1e-9)
    assert first["cos_best"] == pytest.approx(math.sqrt(1 - first["epsilon_relative"] ** 2))
    assert 0 < first["epsilon_relative"] < 1
    assert first["radius"] in (0, RADIUS)
    assert math.isnan(unclassified["epsilon"])
    assert unclassified["support"] == 0
    write_table(tmp_path / "kkt.parquet", table)
    rows = read_table(tmp_path / "kkt.parquet").explode(["examples", "multipliers"]).dropna(subset="examples")
    assert len(rows) == first["support"] + second["support"]
    assert (rows["multipliers"] > 0).all()


def test_a_network_with_batch_statistics_has_no_certificate():
    found = small_networks.network_map(small_networks.convolutional(norm=True), None, coupled=True)
    assert kkt.table(small_networks.trajectory(found, [found.flatten()]))["margin"].isna().all()


def classified(found):
    """Weights at which every example is classified."""
    w = found.flatten()
    for _ in range(500):
        margins, pullback = found.linearize(w)
        if float(margins.min()) > 0.01:
            return w
        w = w + 0.05 * pullback(torch.softmax(-margins.flatten(), 0).view_as(margins))
    raise AssertionError("not classified")
