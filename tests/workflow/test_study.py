"""The smallest study, from nothing to the audit: what is written, and what the audit's check finds."""

from __future__ import annotations

import json
import re

from project import ROOT

from dirconv import artifacts

KEYS = {"study", "created", "version", "machine", "data", "claims"}
CLAIM_KEYS = {
    *("id", "source", "statement", "expected", "verdict", "agrees", "statistic", "figure", "target", "evidence"),
}
CLAIMS = {
    "risk_to_zero",
    "smoothed_margin_rises",
    "direction_converges",
    "direction_by_path_length",
    "direction_at_half_the_tolerance",
    "margins_converge",
    "alignment_alexnet",
    "flow_identities",
    "integration_converged",
    "densenet_direction",
    "densenet_frozen_direction",
    "densenet_alignment",
    "control_biased_network",
    "control_assumption_unmet",
    "path_desingularized_alexnet",
    "flow_decomposition_alexnet",
    "saliency_converges",
    "control_mexican_hat",
    "control_mexican_hat_alignment",
    "control_beyond_lyu_li",
    "late_generalization",
}


def test_everything_is_written(done):
    audit = json.loads((done.results / "audit.json").read_text())
    assert set(audit) >= KEYS
    assert {claim["id"] for claim in audit["claims"]} == CLAIMS
    for claim in audit["claims"]:
        assert set(claim) >= CLAIM_KEYS
        assert set(claim["statistic"]) == {"name", "value", "low", "high", "threshold"}
        assert claim["agrees"] is None if claim["expected"] == "open" else claim["agrees"] in (True, False)
        for item in claim["evidence"]:
            assert artifacts.sha256(done.folder / item["path"]) == item["sha256"]
        picture = done.folder / claim["figure"]
        for suffix in (".png", ".pdf", ".csv"):
            assert picture.with_suffix(suffix).stat().st_size > 0
    assert (done.results / "audit.md").exists()
    assert (done.results / "notebook.html").exists()


def test_controls_come_out_as_they_must(done):
    claims = {claim["id"]: claim for claim in json.loads((done.results / "audit.json").read_text())["claims"]}
    assert claims["control_biased_network"]["verdict"] == "contradicted"
    assert claims["control_assumption_unmet"]["verdict"] == "inconclusive"
    assert "ℓ(0)" in claims["control_assumption_unmet"]["reason"]
    assert claims["control_mexican_hat"]["verdict"] == "contradicted"
    assert claims["control_mexican_hat_alignment"]["verdict"] == "supported"


def test_check_fails_when_a_control_does_not(finished):
    path = finished.results / "audit.json"
    audit = artifacts.read_json(path)
    next(c for c in audit["claims"] if c["id"] == "control_biased_network")["verdict"] = "supported"
    artifacts.write_json(path, audit)
    run = finished.run("dirconv", "check", "--audit", str(path))
    assert run.returncode == 1
    assert "control_biased_network" in run.stderr


def test_audit_check_finds_what_differs(finished):
    command = ("dirconv", "audit", "--check", "results/smoke/audit.json")
    assert finished.run(*command).returncode == 0
    # a verdict that the measures do not bear out
    path = finished.results / "audit.json"
    original = path.read_text()
    audit = artifacts.read_json(path)
    next(c for c in audit["claims"] if c["id"] == "direction_converges")["verdict"] = "supported"
    artifacts.write_json(path, audit)
    run = finished.run(*command)
    assert run.returncode == 1
    assert "direction_converges: verdict is inconclusive, the audit says supported" in run.stdout
    # a threshold that was moved
    path.write_text(original)
    registry = finished.folder / "config" / "claims.yaml"
    registry.write_text(registry.read_text().replace("fall: 0.001", "fall: 0.9"))
    run = finished.run(*command)
    assert run.returncode == 1
    assert "smoothed_margin_rises: thresholds" in run.stdout
    # evidence that was changed
    table = finished.results / "measures" / "alexnet" / "seed1" / "path.parquet"
    table.write_bytes(table.read_bytes()[:-1] + b"x")
    run = finished.run(*command)
    assert run.returncode == 1
    assert "results/smoke/measures/alexnet/seed1/path.parquet" in run.stdout
    assert "Traceback" not in run.stderr


def test_a_folder_may_have_any_name_and_nothing_of_it_is_run(fresh):
    name = "my results;touch ran $(touch ran) 'it"
    overrides = ["--config", f"results={name}", f"figures_folder={name}", "--until", "data"]
    run = fresh.snakemake(*overrides)
    assert run.returncode == 0, run.stderr
    assert (fresh.folder / name / "smoke" / "data" / "digits" / "manifest.json").exists()
    assert not list(fresh.folder.rglob("ran"))


def test_every_word_of_a_rule_is_quoted():
    for path in sorted((ROOT / "workflow" / "rules").glob("*.smk")):
        for shell in re.findall(r"shell:\n((?:\s+[\"'][^\n]*\n)+)", path.read_text(encoding="utf-8")):
            assert re.findall(r"\{[^}]*\}", shell) == re.findall(r"\{[^}]*:q\}", shell), path
