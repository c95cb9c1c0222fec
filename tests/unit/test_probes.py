"""Probes: the degree that a network has where it is, and what becomes of test images."""

import math
import sys

import numpy as np
import pandas as pd
import pytest
import torch

from dirconv import losses, models
from dirconv.errors import UserError
from dirconv.margins import robustness
from dirconv.margins.network import NetworkMap
from dirconv.measures import Trajectory
from dirconv.probes import degree, generalization
from dirconv.study import references, validate


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


def test_an_attack_finds_the_distance_to_a_hyperplane():
    generator = torch.Generator().manual_seed(0)
    w = torch.randn(20, generator=generator, dtype=torch.float64)
    x = torch.randn(40, 20, generator=generator, dtype=torch.float64)

    def outputs(at):
        return 1e9 * torch.stack([-(at @ w), at @ w], 1)

    labels = outputs(x).argmax(1)
    labels[:5] = 1 - labels[:5]
    exact = (x @ w).abs() / w.norm()
    found = robustness.attacked(outputs, x, labels, 200)
    assert (found[:5] == 0).all()
    assert (found[5:] >= exact[5:] * (1 - 1e-9)).all() and (found[5:] <= 1.01 * exact[5:]).all()
    torch.testing.assert_close(robustness.first_order(outputs, x), exact)
    gaps = x @ w
    torch.testing.assert_close(robustness.certified(gaps, [w[None]]), exact)


def test_the_bound_lies_below_the_attack():
    generator = torch.Generator().manual_seed(1)
    first, second = (torch.randn(*s, generator=generator, dtype=torch.float64) for s in ((16, 20), (1, 16)))
    x = torch.randn(30, 20, generator=generator, dtype=torch.float64)

    def outputs(at):
        f = ((at @ first.T).clamp(min=0) @ second.T)[:, 0]
        return torch.stack([-f, f], 1) / 2

    gaps = outputs(x)[:, 1] - outputs(x)[:, 0]
    found = robustness.attacked(outputs, x, (gaps > 0).long(), 100)
    assert (robustness.certified(gaps, [first, second]) <= found + 1e-12).all()
    assert len(robustness.attacked(outputs, x[:0], gaps[:0].long(), 10)) == 0


def test_a_missing_library_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "foolbox", None)
    x = torch.ones(1, 2)
    with pytest.raises(UserError, match="needs foolbox, which is not installed; `uv sync --all-extras` brings it"):
        robustness.attacked(lambda at: at, x, torch.zeros(1, dtype=torch.int64), 1)


def study(**run):
    model = {"name": "alexnet", "width": 0.1}
    whole = {"data": "d", "model": model, "train": {}, "flow": {"method": "descent"}, **run}
    return {
        "study": "s",
        "data": {"d": {"source": "digits", "classes": {"negative": [0], "positive": [1]}}},
        "runs": {"first_pair": {key: value for key, value in whole.items() if value is not None}},
    }


def test_a_probe_is_a_member_of_its_own_and_moves_no_specification():
    plain = validate.validated({**study(), "runs": {**study()["runs"], "alexnet": study()["runs"]["first_pair"]}}, "s")
    probed = validate.validated(study(probes=["generalization"], seeds=[0, 3]), "s")
    assert probed.inputs("late_generalization") == [
        "first_pair/generalization-seed0",
        "first_pair/generalization-seed3",
    ]
    assert probed.specifications.flow("first_pair", 0) == plain.specifications.flow("first_pair", 0)
    assert probed.specifications.probe("first_pair", 3, "generalization")["probe"] == "generalization"
    chain = references.chain(probed, "first_pair/generalization-seed0")
    assert [job.stage for job in chain] == ["data", "train", "flow", "probe"]
    assert "late_generalization" not in plain.claims


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ({"probes": ["degre"]}, "probes: unknown 'degre'; did you mean 'degree'"),
        ({"probes": ["degree"], "flow": None, "train": None}, "probes: the run is only checked"),
    ],
)
def test_bad_probes_are_named(run, message):
    whole = study(**run)
    whole["runs"]["alexnet"] = study()["runs"]["first_pair"]
    with pytest.raises(UserError, match=message):
        validate.validated(whole, "s")


@pytest.mark.parametrize(
    ("run", "remedy"),
    [
        ({"probes": ["degree"]}, "give it `probes: \\[generalization\\]`"),
        ({"flow": None, "train": None}, "`train` and `flow`"),
    ],
)
def test_a_claim_whose_probe_is_not_asked_for_says_what_to_add(run, remedy):
    whole = {**study(**run), "claims": ["late_generalization"]}
    with pytest.raises(UserError, match=f"late_generalization reads the run 'first_pair'; .*{remedy}"):
        validate.validated(whole, "s")


def test_a_claim_on_a_problem_without_its_tables_says_so():
    problem = {"problem": {"name": "mexican_hat", "turns": 3.0}, "seeds": [0]}
    whole = {"study": "s", "problems": {"first_pair": problem}, "claims": ["late_generalization"]}
    with pytest.raises(UserError, match="'mexican_hat' does not answer with generalization"):
        validate.validated(whole, "s")
