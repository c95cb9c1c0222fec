"""What follows from a study file: its jobs, what each goes through, and what is refused."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import yaml

from dirconv import models
from dirconv.errors import UserError
from dirconv.study import validate

ROOT = Path(__file__).parents[3]
REGISTRY = {"registry": str(ROOT / "config" / "claims.yaml")}


@pytest.fixture
def values():
    """The content of the smallest study, with a run at half the tolerance."""
    content = yaml.safe_load((ROOT / "tests" / "workflow" / "smoke.yaml").read_text())
    flow = {"method": "proximal", "tolerance": 0.1}
    content["runs"]["alexnet"]["flow"] = flow
    content["runs"]["alexnet_half"] = copy.deepcopy(content["runs"]["alexnet"])
    content["runs"]["alexnet_half"]["flow"] = {**flow, "tolerance": 0.05}
    return {**content, **REGISTRY}


def test_a_run_at_half_the_tolerance_is_taken(values):
    assert "integration_converged" in validate.validated(values, "study").claims


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda half: half["flow"].update(tolerance=0.1), "tolerance"),
        (lambda half: half["flow"].update(tolerance=0.025), "tolerance"),
        (lambda half: half["flow"].update(largest_step=0.1), "largest_step"),
        (lambda half: half["train"].update(learning_rate=0.011), "learning_rate"),
        (lambda half: half.update(stop={"tau": 0.123}), "stop"),
    ],
)
def test_a_pair_that_differs_in_more_than_half_the_tolerance_is_refused(values, change, named):
    change(values["runs"]["alexnet_half"])
    with pytest.raises(UserError, match=named) as refused:
        validate.validated(values, "study")
    assert "runs.alexnet_half" in str(refused.value)
    assert "\n" not in str(refused.value)


COUPLED = {"name": "densenet", "depth": 10, "growth": 3}


@pytest.mark.parametrize("model", [COUPLED, {"name": "resnet", "normalization": True}])
def test_a_method_that_cannot_follow_batch_statistics_is_refused_with_the_remedy(values, model):
    values["runs"]["densenet"].update(model=model, flow={"method": "proximal"})
    with pytest.raises(UserError) as refused:
        validate.validated(values, "study")
    assert str(refused.value).startswith(
        "study: runs.densenet.flow.method: proximal cannot follow a network whose batch statistics couple its "
        "examples; give the run `frozen: true`, or choose one of "
    )
    assert "descent" in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "change",
    [
        {"flow": {"method": "proximal"}, "frozen": True},
        {"flow": {"method": "proximal"}, "model": {"name": "resnet"}},
        {"flow": {"method": "sgd"}},
    ],
)
def test_what_a_method_can_follow_is_taken(values, change):
    values["runs"]["densenet"].update({"model": COUPLED, **change})
    assert "densenet" in validate.validated(values, "study").file.runs


def test_a_job_says_what_it_reads_writes_and_goes_through(values):
    study = validate.validated(values, "study")
    job = study.job("flow", "alexnet", 0)
    assert job.inputs == {
        "split": "results/smoke/data/digits/manifest.json",
        "start": "results/smoke/starts/alexnet/seed0/manifest.json",
    }
    assert job.outputs == [
        "results/smoke/runs/alexnet/seed0/steps.parquet",
        "results/smoke/runs/alexnet/seed0/snapshots.safetensors",
        "results/smoke/runs/alexnet/seed0/manifest.json",
    ]
    assert json.loads(job.json) == job.spec
    assert {"flow.proximal", "network.alexnet", "dual", "step_control"} <= set(job.made_by)
    assert "network.densenet" not in job.made_by
    assert study.outputs("flow", "{name}", "{seed}")[0] == "results/smoke/runs/{name}/seed{seed}/steps.parquet"


def test_every_member_that_is_shown_has_a_chain_of_jobs(values):
    study = validate.validated(values, "study")
    for member in study.shown:
        assert study.versions(member)
    chain = set(study.versions("alexnet/seed0"))
    assert {"data.digits", "training", "flow.proximal", "measure.path"} <= chain


def test_options_of_a_network_that_were_added_later_are_left_out_at_their_defaults(values):
    """Committed results hold specifications without them, and stay what they are."""
    before = {"name": "alexnet", "width": 0.25, "biases": False}
    for given, expected in (
        ({}, before),
        ({"activation": "relu", "softness": 0.3}, before),
        ({"activation": "smooth"}, {**before, "activation": "smooth"}),
        ({"activation": "smooth", "softness": 0.1}, {**before, "activation": "smooth", "softness": 0.1}),
    ):
        for run in ("alexnet", "alexnet_half"):
            values["runs"][run]["model"] = {"name": "alexnet", "width": 0.25, **given}
        specification = validate.validated(values, "study").specifications.network("alexnet", 0)
        assert specification["model"] == expected
        assert models.from_options(specification["model"]) == models.specification(expected, "model")


def test_images_have_the_size_that_the_networks_on_them_take(values):
    values["data"]["small"] = {**values["data"]["digits"], "size": 8}
    values["runs"]["dense"] = {"data": "small", "model": {"name": "fully_connected"}, "seeds": [0]}
    assert validate.validated(values, "study").specifications.data("small")["size"] == 8
    values["runs"]["alexnet_biased"]["data"] = "small"
    with pytest.raises(UserError) as refused:
        validate.validated(values, "study")
    expected = "study: data.small.size: runs.alexnet_biased: alexnet is for 32×32 images, got 8"
    assert str(refused.value) == expected


def test_claims_about_certificates_are_judged_where_a_run_has_the_probe(values):
    assert not {"kkt", "support_settles"} & set(validate.validated(values, "study").claims)
    values["runs"]["alexnet"]["probes"] = ["kkt"]
    study = validate.validated(values, "study")
    assert {"kkt", "support_settles"} <= set(study.claims)
    probes = [member for member in study.probed if member.startswith("alexnet/kkt-")]
    assert study.inputs("kkt") == study.evidence("kkt") == probes
    members = study.inputs("direction_converges")
    assert study.evidence("direction_converges") == [*members, *probes]  # which the rule reads beside the run's own
    read = study.job("claim", "direction_converges").inputs["tables"]
    assert [path.rsplit("/", 1)[1] for path in read] == ["path.parquet"] * len(members) + ["kkt.parquet"] * len(probes)
    assert probes[0] in study.shown
