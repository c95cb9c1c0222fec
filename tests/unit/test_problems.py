"""Small problems whose answer is known: data, starts, tables; the flow meets its oracle; the Mexican hat circles."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from dirconv import artifacts, numerics, problems
from dirconv.claims import Evidence, Verdict, judging, registry
from dirconv.errors import UserError
from dirconv.options import load_yaml, modules, parse, plugin
from dirconv.problems import (
    deep_linear,
    dense,
    dense_descents,
    dense_losses,
    homogeneous_map,
    mexican_hat,
    planar,
    squared_relu,
)
from dirconv.stages import problem as stage

REGISTRY = registry.load("config/claims.yaml")
STUDY = load_yaml("config/digits.yaml")
PATH = ["tau", "zeta", "tan", "cos", "smoothed_margin", "below", "ln_risk", "norm", "landed", "resolution"]


def verdict(claim: str, followed: problems.Followed, spec) -> Verdict:
    entry = REGISTRY[claim]
    rule = registry.rule(entry.rule)
    thresholds = parse(rule.Thresholds, entry.thresholds, claim)
    record = {"stop": followed.stop, "specification": {"degree": spec.degree, "loss": spec.loss}}
    return judging.outcome(rule, [Evidence(followed.tables, record)], thresholds).verdict


@pytest.fixture(scope="module")
def linear():
    spec = deep_linear.Spec(depth=3, tau=5.0)
    return spec, deep_linear.follow(spec, [0, 1, 6])


@pytest.fixture(scope="module")
def hat():
    spec = mexican_hat.Spec()
    return spec, mexican_hat.follow(spec, [0, 1])


def test_every_problem_answers_with_its_tables(linear, hat):
    few = {"width": 4, "examples": 8, "tau": 0.5}
    small = {
        "dense": (spec := dense.Spec(**few), dense.follow(spec, [0])),
        "dense_descents": (spec := dense_descents.Spec(**few, steps=3), dense_descents.follow(spec, [0])),
        "dense_losses": (
            spec := dense_losses.Spec(**few, losses=["exponential", "logistic"]),
            dense_losses.follow(spec, [0]),
        ),
        "homogeneous_map": (spec := homogeneous_map.Spec(tau=0.5), homogeneous_map.follow(spec, [1])),
        "deep_linear": linear,
        "mexican_hat": hat,
        "planar": (spec := planar.Spec(width=16, tau=0.5), planar.follow(spec, [0])),
        "squared_relu": (spec := squared_relu.Spec(neurons=16, tau=0.5), squared_relu.follow(spec, [0])),
    }
    assert set(small) == set(modules("problems"))
    for name, (spec, followed) in small.items():
        assert spec.name == name
        for one in followed:
            assert set(one.tables) == set(plugin("problems", name, "problem").TABLES)
            assert set(PATH) <= set(one.tables["path"].columns)
            assert one.tables["path"]["tau"].iloc[0] == 0 and one.tables["path"]["zeta"].iloc[0] == 0


def test_the_product_goes_to_the_maximum_margin_at_the_rate_that_the_support_decides(linear):
    from dirconv.claims.fits import rate

    spec, followed = linear
    for seed, one in zip((0, 1, 6), followed, strict=True):
        limit = one.tables["limit"]
        support = (plugin("oracles", "hard_margin", "oracle").solve(deep_linear.examples(spec, seed)).dual > 1e-9).sum()
        expected = spec.depth if support == spec.dimension else 1
        assert rate(limit["tau"].to_numpy(), limit["angle"].to_numpy())[0] == pytest.approx(expected, abs=0.1)
        assert 1 - limit["lower"].iloc[0] / limit["upper"].iloc[0] <= 1e-9
        assert verdict("deep_linear_rank_one", one, spec) == Verdict.SUPPORTED
        assert verdict("flow_decomposition", one, spec) == Verdict.SUPPORTED
        assert verdict("alignment_smooth", one, spec) == Verdict.SUPPORTED
        kappa = registry.rule("desingularized")
        thresholds = parse(kappa.Thresholds, REGISTRY["path_desingularized"].thresholds, "κ")
        record = {"stop": one.stop, "specification": {"degree": 3, "loss": "exponential"}}
        outcome = judging.outcome(kappa, [Evidence(one.tables, record)], thresholds)
        assert outcome.verdict == Verdict.SUPPORTED and outcome.value == pytest.approx(0.5, abs=0.02)
    assert verdict("deep_linear_max_margin", followed[0], spec) == Verdict.SUPPORTED


def test_a_polynomial_tail_goes_elsewhere():
    spec = deep_linear.Spec(depth=1, tau=5.0, loss="polynomial")
    (one,) = deep_linear.follow(spec, [0])
    assert verdict("control_polynomial_tail", one, spec) == Verdict.CONTRADICTED
    # where it goes: the minimum of Σ ⟨w, z_i⟩^(−k) on the sphere
    from scipy.optimize import minimize

    z = deep_linear.examples(spec, 0)
    svm = plugin("oracles", "hard_margin", "oracle").solve(z).predictor

    def objective(w):
        return np.log(((z @ w) ** -2.0).sum()) + 2 * np.log(np.linalg.norm(w)) if (z @ w > 0).all() else np.inf

    best = minimize(objective, svm, method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-14, "maxiter": 20_000})
    path = deep_linear.follow(dataclasses.replace(spec, tau=9.0), [0])[0]
    angle = path.tables["limit"]["angle"].iloc[-1]
    assert angle == pytest.approx(math.acos(best.x @ svm / np.linalg.norm(best.x)), abs=1e-3)


def test_squared_relu_reaches_the_best_measure_from_a_cover():
    spec = squared_relu.Spec(neurons=32, tau=7.0)
    for one in squared_relu.follow(spec, [0, 1]):
        assert verdict("squared_relu_max_margin", one, spec) == Verdict.SUPPORTED
        assert one.tables["limit"]["ratio"].max() <= 1 + 1e-9  # a certified bound


def test_trained_outputs_stay_below_the_bound_of_one_neuron():
    spec = squared_relu.Spec(neurons=32, tau=4.0, trained=True)
    (one,) = squared_relu.follow(spec, [0])
    assert spec.degree == 3
    assert 0 < one.tables["limit"]["ratio"].iloc[-1] <= 1 + 1e-9


@pytest.mark.parametrize("dimension", [2, 3])
def test_a_cover_has_a_neuron_of_either_sign_near_every_direction(dimension):
    spec = squared_relu.Spec(dimension=dimension, neurons=400)
    w = squared_relu.start(spec, 3).reshape(-1, dimension)
    unit = w / np.linalg.norm(w, axis=1, keepdims=True)
    anywhere = np.random.default_rng(0).normal(size=(500, dimension))
    anywhere /= np.linalg.norm(anywhere, axis=1, keepdims=True)
    for sign in (0, 1):
        nearest = (anywhere @ unit[sign::2].T).max(1)
        assert np.arccos(nearest.min()) < (0.02 if dimension == 2 else 0.25)


def test_the_surface_is_seen_as_it_is():
    spec = planar.Spec(width=32, tau=0.5)
    (one,) = planar.follow(spec, [1])
    points, labels = planar.examples(spec, 1)
    surfaces, grid = one.tables["surfaces"], one.tables["grid"]
    assert surfaces["to_start"].iloc[0] == pytest.approx(0, abs=1e-6)
    assert surfaces["to_end"].iloc[-1] == pytest.approx(0, abs=1e-6)
    assert surfaces["kernel_gap"].iloc[0] <= 1e-9
    assert set(grid["surface"]) == {"kernel", "start", "end"}
    # each surface classifies the points, looked up at the nearest place of the grid
    for _, surface in grid.groupby("surface"):
        at = surface[["x", "y"]].to_numpy()
        nearest = np.linalg.norm(points[:, None] - at[None], axis=2).argmin(1)
        assert (np.sign(surface["value"].to_numpy()[nearest]) == labels).mean() > 0.9


def test_the_hat_is_followed_with_the_gradient_of_the_map(hat):
    """(R, δ, τ) against autograd of h in three dimensions."""
    spec, _ = hat

    def h(x: torch.Tensor) -> torch.Tensor:
        rho = x.norm()
        u, v = x[0] / rho, x[1] / rho
        square = u**2 + v**2
        c = 4 * square**2 / (4 * square**2 + (1 - square) ** 4)
        big_r = 1 / (1 - square)
        return rho**spec.degree * (1 - torch.exp(-big_r) * (1 - c * torch.sin(torch.atan2(v, u) - big_r)))

    for big_r, delta in ((2.5, 0.2), (3.3, -0.1), (5.0, 0.01)):
        phi, r = big_r + delta + math.pi / 2, math.sqrt(1 - 1 / big_r)
        at = torch.tensor([r * math.cos(phi), r * math.sin(phi), math.sqrt(1 - r * r)], dtype=torch.float64)
        gradient = torch.func.grad(h)(at)
        radial = float(gradient @ at)
        theta = ((gradient - radial * at) / radial).numpy()  # dθ/dτ
        u, v = at[0].item(), at[1].item()
        d_r = big_r**2 * 2 * (u * theta[0] + v * theta[1])
        d_phi = (u * theta[1] - v * theta[0]) / r**2
        rates = mexican_hat.rates(spec, np.array([big_r, delta * big_r**4, 0.0, 0.0]))
        tan = rates[3]
        assert np.linalg.norm(theta) == pytest.approx(tan, rel=1e-10)
        assert rates[0] * tan == pytest.approx(d_r, rel=1e-9)
        turned = (rates[1] - 4 * delta * big_r**3 * rates[0]) / big_r**4
        assert turned * tan == pytest.approx(d_phi - d_r, rel=1e-9)


def test_the_hat_circles_for_ever_and_aligns(hat):
    spec, followed = hat
    for one in followed:
        spiral, path = one.tables["spiral"], one.tables["path"]
        assert spiral["phi"].iloc[-1] - spiral["phi"].iloc[0] >= 2 * math.pi * 3
        late = spiral[spiral["R"] > 8]
        assert np.abs(late["phi"] - late["R"] - math.pi / 2).max() < 1e-3  # the valley
        assert verdict("control_mexican_hat", one, spec) == Verdict.CONTRADICTED
        assert verdict("control_mexican_hat_alignment", one, spec) == Verdict.SUPPORTED
        half = len(path) // 2
        assert spiral["squares"].iloc[-1] / spiral["squares"].iloc[half] < 1 + 1e-6  # finite
        assert path["zeta"].iloc[-1] / path["zeta"].iloc[half] > 1.8  # and not


def test_the_hat_does_not_depend_on_the_solvers_tolerance(hat):
    spec, followed = hat
    other = mexican_hat.follow(dataclasses.replace(spec, tolerance=1e-8), [0])[0]
    end, again = followed[0].tables["spiral"].iloc[-1], other.tables["spiral"].iloc[-1]
    assert again["tau"] == pytest.approx(end["tau"], rel=1e-6)
    assert again["zeta"] == pytest.approx(end["zeta"], rel=1e-8)


def test_the_stage_writes_what_claims_read(tmp_path):
    spec = {"run": "small", "problem": dataclasses.asdict(deep_linear.Spec(depth=1, tau=0.5)), "seeds": [3, 7]}
    stage.run(spec, tmp_path)
    for seed in (3, 7):
        manifest = artifacts.read_manifest(tmp_path / f"seed{seed}")
        assert manifest["specification"]["seed"] == seed
        assert set(manifest["files"]) == {f"{name}.parquet" for name in deep_linear.TABLES}
        assert manifest["made_by"]["numerics"] == numerics.of_stage("problem", spec)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "deep_liner"}, "did you mean 'deep_linear'"),
        ({"name": "deep_linear", "dept": 3}, "dept: unknown key; did you mean 'depth'"),
        ({"name": "deep_linear", "depth": 0}, "depth: must be above zero"),
        ({"name": "squared_relu", "neurons": 7}, "neurons: must be even"),
        ({"name": "planar", "removed": 1.5}, "removed: must be at least 0"),
        ({"name": "mexican_hat", "turns": -1.0}, "turns: must be above zero"),
        ({}, "unknown ''"),
    ],
)
def test_bad_options_are_refused_in_one_line(options, message):
    with pytest.raises(UserError, match=message) as error:
        problems.specification(options, "here")
    assert "\n" not in str(error.value)


def test_the_default_study_has_what_its_claims_ask_for():
    for name, run in STUDY["problems"].items():
        problems.specification(run["problem"], name)
        assert len(run.get("seeds", range(10))) >= 5
