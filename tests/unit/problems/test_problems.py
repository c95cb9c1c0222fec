"""Small problems whose answer is known: their tables, their options, and the stage that writes them."""

from __future__ import annotations

import dataclasses

import pytest

from dirconv import artifacts, numerics, problems
from dirconv.errors import UserError
from dirconv.options import load_yaml, modules, plugin
from dirconv.problems import deep_linear, dense, dense_descents, dense_losses, homogeneous_map, planar, squared_relu
from dirconv.stages import problem as stage

STUDY = load_yaml("config/digits.yaml")
PATH = ["tau", "zeta", "tan", "cos", "smoothed_margin", "below", "ln_risk", "norm", "landed", "resolution"]


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
