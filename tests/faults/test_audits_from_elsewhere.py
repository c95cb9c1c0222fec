"""`audit --check` of what is no audit, and of an audit of another project than the one it is called from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dirconv import artifacts, cli
from dirconv.errors import UserError
from dirconv.stages import audit

ROOT = Path(__file__).parents[2]
AUDIT = {
    "study": "a",
    "registry": "config/claims.yaml",
    "results": "results/a",
    "runs": {},
    "problems": {},
    "claims": [],
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with a registry of one claim that no calibration scores, and an audit without claims."""
    (tmp_path / "project" / "config").mkdir(parents=True)
    entry = (ROOT / "config" / "claims.yaml").read_text(encoding="utf-8").partition("\ncontrol_biased_network:")[2]
    text = "control_biased_network:" + entry.partition("\n\n")[0] + "\n"
    (tmp_path / "project" / "config" / "claims.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(audit.calibrate, "scores", lambda claims: {"claims": list(claims)})
    monkeypatch.setattr(audit, "_of_study", lambda audit, project: [])  # its files: tests/faults/test_forgery.py
    artifacts.write_json(
        tmp_path / "project" / "results" / "a" / "audit.json",
        {**AUDIT, "calibration": {"claims": ["control_biased_network"]}},
    )
    return tmp_path / "project"


@pytest.mark.parametrize("elsewhere", [".", "results/a", ".."])
def test_the_registry_is_that_of_the_project_that_an_audit_belongs_to(project, monkeypatch, elsewhere):
    monkeypatch.chdir(project / elsewhere)
    assert audit.check(project / "results" / "a" / "audit.json") == []


def test_evidence_is_that_of_the_project_too(project, monkeypatch, tmp_path):
    path = project / "results" / "a" / "audit.json"
    evidence = [{"path": "results/a/measures/x/seed0/manifest.json", "sha256": "0"}]
    artifacts.write_json(path, {**artifacts.read_json(path), "claims": [{"id": "x", "evidence": evidence}]})
    monkeypatch.chdir(tmp_path)
    where = project / "results/a/measures/x/seed0/manifest.json"
    assert audit.check(path) == [f"x: {where}: missing or not as it was audited"]
    monkeypatch.chdir(project)
    assert audit.check(path) == ["x: results/a/measures/x/seed0/manifest.json: missing or not as it was audited"]


@pytest.mark.parametrize("stage", [audit.check, audit.expectations])
def test_what_is_no_audit_is_refused_in_one_line(project, stage):
    folder = project / "results" / "a"
    artifacts.write_json(folder / "calibration.json", {"scores": {}})
    (folder / "text.json").write_text("<html>", encoding="utf-8")
    (folder / "latin.json").write_bytes('{"a": "ü"}'.encode("latin-1"))
    said = {
        folder: "a folder; name the audit.json in it",
        folder / "calibration.json": "a record, but no audit (it has no 'study')",
        folder / "text.json": "not a record of this project",
        folder / "latin.json": "not a record of this project",
        folder / "none.json": "not found",
    }
    for path, why in said.items():
        with pytest.raises(UserError) as caught:
            stage(path)
        assert str(caught.value).startswith(f"{path}: {why}") and "\n" not in str(caught.value)
        assert "delete" not in str(caught.value)


@pytest.mark.parametrize("claims", [None, [None], [{}], [{"id": "x", "evidence": [{}]}]])
def test_an_audit_of_another_shape_is_one_line(project, monkeypatch, capsys, claims):
    path = project / "results" / "a" / "audit.json"
    artifacts.write_json(path, {**artifacts.read_json(path), "claims": claims})
    monkeypatch.chdir(project)
    assert cli.main(["audit", "--check", str(path)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and "not an audit as this version writes it" in lines[0]


def test_a_record_that_is_no_mapping_is_one_line(tmp_path):
    for content in ([1], "a", 3, None):
        (tmp_path / "a.json").write_text(json.dumps(content), encoding="utf-8")
        with pytest.raises(UserError, match="not a record of this project"):
            audit.check(tmp_path / "a.json")
