"""The schema of study files is what the dataclasses say, and the project's own study files obey it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dirconv.claims import registry
from dirconv.stages.schema import study_schema
from dirconv.study import validate

ROOT = Path(__file__).parents[3]
SHOWN = {"alexnet_sgd", "planar_32", "planar_128"}  # in figures, beside what is judged
STUDIES = sorted(path for path in (ROOT / "config").glob("*.yaml") if path.name != "claims.yaml")


def test_the_committed_schema_is_todays():
    committed = json.loads((ROOT / "workflow" / "schemas" / "study.schema.json").read_text())
    assert committed == json.loads(json.dumps(study_schema(), default=str)), "write it again: dirconv schema --out …"


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.name)
def test_study_files_are_valid(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    study = validate.load(path)
    assert study.file.study == path.stem
    # a name that no claim reads is a slip: nothing would be judged on that run
    entries = registry.load(ROOT / "config" / "claims.yaml").values()
    read = {run for claim in entries for run in (*claim.runs, claim.halved)}
    assert {*study.file.runs, *study.file.problems} <= read | SHOWN


# claims that a committed study lacks until it is made again, with smooth AlexNet and certificates
SMOOTH = {"alignment_smooth_alexnet", "direction_smooth_alexnet", "kkt_smooth_alexnet"}
LATER = {"cifar10-small": SMOOTH | {"kkt", "support_settles"}}


@pytest.mark.parametrize("name", ["digits", "theorems", "cifar10-small"])
def test_a_study_that_is_whole_judges_all_claims_about_networks_or_none_and_about_problems(name, monkeypatch):
    """Those at or towards full size may leave out runs that cost too much; these may not."""
    monkeypatch.chdir(ROOT)
    study, default = (validate.load(ROOT / "config" / f"{each}.yaml") for each in (name, "digits"))
    for which in ("runs", "problems"):
        mine, all_ = (
            {claim for claim, entry in each.claims.items() if set(entry.runs) <= set(getattr(each.file, which))}
            for each in (study, default)
        )
        assert mine in (set(), all_ - LATER.get(name, set()))


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.name)
def test_study_files_obey_the_schema(path):
    import yaml
    from jsonschema import Draft202012Validator

    values = json.loads(json.dumps(yaml.safe_load(path.read_text())))
    Draft202012Validator(study_schema()).validate(values)
    if "runs" in values:
        next(iter(values["runs"].values()))["flow"] = {"method": "descent", "tolerence": 1}
    else:
        values["problems"]["deep_linear_2"]["problem"]["dept"] = 1
    assert not Draft202012Validator(study_schema()).is_valid(values)


def test_the_default_study_holds_the_theorems():
    theorems, default = (validate.load(ROOT / "config" / f"{name}.yaml").file for name in ("theorems", "digits"))
    assert theorems.problems == default.problems


def test_numbers_that_yaml_takes_for_text_are_numbers(tmp_path):
    text = (ROOT / "tests" / "workflow" / "smoke.yaml").read_text()
    assert "tolerance: 1.0e-3" in text and "log_inverse_risk: 1000," in text
    study = tmp_path / "study.yaml"
    found = []
    for written in (text, text.replace("1.0e-3", "1e-3").replace("risk: 1000,", "risk: +1E3,")):
        study.write_text(written)
        resolved = validate.load(study, {"registry": str(ROOT / "config" / "claims.yaml")})
        found.append([resolved.specifications.flow(name, 0) for name in ("densenet", "densenet_frozen")])
    assert found[0] == found[1]
