"""The smallest study, from nothing to the audit, and what its cache does and does not do again."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from dirconv import artifacts

KEYS = {"study", "created", "version", "machine", "data", "claims"}
CLAIM_KEYS = {
    *("id", "source", "statement", "expected", "verdict", "agrees", "statistic", "figure", "target", "evidence"),
}
CLAIMS = {
    "risk_to_zero",
    "smoothed_margin_rises",
    "direction_converges",
    "direction_converges_by_chords",
    "direction_at_half_the_tolerance",
    "chords_at_half_the_tolerance",
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


def edit(path: Path) -> None:
    """Change a module's code, though not what it computes."""
    path.write_text(path.read_text() + "\n_EDITED = True\n")


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


def test_nothing_to_be_done_twice_nor_after_a_touch(finished):
    assert finished.planned() == {}
    for folder in ("results", "figures", "src", "config", "workflow", "notebooks"):
        for path in (finished.folder / folder).rglob("*"):
            if path.is_file():
                os.utime(path)
    assert finished.planned() == {}


def test_an_edit_reruns_its_chain_and_no_other(finished):
    source = finished.folder / "src" / "dirconv"

    def planned_after(module: str) -> dict[str, int]:
        path = source / module
        original = path.read_text()
        edit(path)
        jobs = finished.planned()
        path.write_text(original)
        return jobs

    after = {"audit": 1, "notebook": 1, "check": 1, "default": 1}
    assert planned_after("figures/errors.py") == {"figure": 1, **after}
    assert planned_after("claims/rules/risk.py") == {"claim": 1, **after}
    # a module that only other modules import: fifteen claims are judged by an exponent, and five figures show one
    assert planned_after("claims/statistics.py") == {"claim": 15, "calibration": 1, "figure": 5, **after}
    jobs = planned_after("probes/generalization.py")
    assert jobs["probe"] == 1
    assert not {"data", "train", "flow", "measure", "homogeneity"} & set(jobs)
    jobs = planned_after("problems/mexican_hat.py")
    assert jobs["problem_mexican_hat"] == 1
    assert not {"data", "train", "flow", "measure", "homogeneity"} & set(jobs)
    jobs = planned_after("measures/direction.py")
    assert jobs["measure"] == 7
    assert "probe" not in jobs
    assert not {"data", "train", "flow", "homogeneity"} & set(jobs)
    jobs = planned_after("models/densenet.py")
    assert (jobs["homogeneity"], jobs["train"], jobs["flow"], jobs["measure"]) == (2, 2, 2, 2)
    jobs = planned_after("flow/descent.py")
    assert (jobs["flow"], jobs["measure"]) == (2, 2)
    assert "train" not in jobs
    jobs = planned_after("data/digits.py")
    assert (jobs["data"], jobs["train"], jobs["flow"]) == (1, 7, 7)
    assert "homogeneity" not in jobs
    jobs = planned_after("margins/network.py")  # at both ends of a chain: nothing in between may be passed over
    assert (jobs["homogeneity"], jobs["train"], jobs["flow"], jobs["measure"]) == (7, 7, 7, 7)
    assert finished.planned() == {}


def test_comments_and_docstrings_rerun_nothing(finished):
    path = finished.folder / "src" / "dirconv" / "flow" / "descent.py"
    path.write_text(path.read_text().replace('r"""Full-batch', 'r"""The full-batch') + "\n# a remark\n")
    assert finished.planned() == {}


def test_a_changed_configuration_reruns_its_chain(finished):
    study = finished.folder / "config" / "smoke.yaml"
    study.write_text(study.read_text().replace("steps: 10}", "steps: 11}"))
    jobs = finished.planned()
    assert (jobs["flow"], jobs["measure"]) == (1, 1)
    assert not {"data", "train", "homogeneity"} & set(jobs)


def test_deleting_a_figure_redraws_that_figure(finished):
    png = finished.figures / "alignment.png"
    before = png.read_bytes()
    png.unlink()
    assert finished.planned("figures") == {"figure": 1, "figures": 1}
    # the audit page holds the picture
    assert finished.planned() == {"figure": 1, "audit": 1, "notebook": 1, "check": 1, "default": 1}
    run = finished.snakemake("figures")
    assert run.returncode == 0, run.stderr
    assert png.read_bytes() == before
    assert finished.planned() == {}


def test_a_fresh_clone_with_measures_draws_without_training(done, fresh):
    shutil.copytree(done.results / "measures", fresh.results / "measures")
    for path in sorted((fresh.results / "measures").rglob("*"), reverse=True):
        os.utime(path)  # a clone's time stamps are in no useful order
    jobs = fresh.planned("figures", "audit")
    assert set(jobs) == {"figure", "figures", "claim", "calibration", "audit"}
    run = fresh.snakemake("figures", "audit")
    assert run.returncode == 0, run.stderr
    assert (fresh.figures / "alignment.png").read_bytes() == (done.figures / "alignment.png").read_bytes()
    assert fresh.run("dirconv", "audit", "--check", "results/smoke/audit.json").returncode == 0


def test_measures_of_an_edited_study_are_no_reference(done, fresh):
    shutil.copytree(done.results / "measures", fresh.results / "measures")
    study = fresh.folder / "config" / "smoke.yaml"
    study.write_text(study.read_text().replace("steps: 10}", "steps: 11}"))
    run = fresh.snakemake("audit", "--dry-run")
    assert run.returncode == 2
    assert "results/smoke/measures/densenet/seed0: measured with other options" in run.stderr
    shutil.rmtree(fresh.results / "measures" / "densenet" / "seed0")
    jobs = fresh.planned("audit")
    assert (jobs["train"], jobs["flow"], jobs["measure"]) == (1, 1, 1)


def test_problems_of_an_edited_study_are_no_reference(done, fresh):
    shutil.copytree(done.results / "measures", fresh.results / "measures")
    study = fresh.folder / "config" / "smoke.yaml"
    study.write_text(study.read_text().replace("turns: 3.0", "turns: 3.5"))
    run = fresh.snakemake("audit")
    assert run.returncode != 0
    assert "measures/mexican_hat/seed0: made with other options" in run.stderr
    shutil.rmtree(fresh.results / "measures" / "mexican_hat")
    assert fresh.planned("audit")["problem_mexican_hat"] == 1


def test_moved_on_code_makes_the_audit_say_stale(done, fresh):
    shutil.copytree(done.results / "measures", fresh.results / "measures")
    edit(fresh.folder / "src" / "dirconv" / "models" / "densenet.py")
    edit(fresh.folder / "src" / "dirconv" / "claims" / "rules" / "risk.py")  # makes no measure stale
    jobs = fresh.planned("audit")
    assert not {"train", "flow", "measure"} & set(jobs)
    run = fresh.snakemake("audit")
    assert run.returncode == 0, run.stderr
    claims = {claim["id"]: claim for claim in json.loads((fresh.results / "audit.json").read_text())["claims"]}
    assert claims["densenet_direction"]["stale"] == ["densenet/seed0"]
    assert claims["direction_converges"]["stale"] == []
    assert "STALE" in (fresh.results / "audit.md").read_text().upper()
    # what made the start and the split counts as well
    edit(fresh.folder / "src" / "dirconv" / "training.py")
    assert fresh.snakemake("audit").returncode == 0
    claims = {claim["id"]: claim for claim in json.loads((fresh.results / "audit.json").read_text())["claims"]}
    assert claims["direction_converges"]["stale"] == ["alexnet/seed0", "alexnet/seed1"]


def test_one_claim_and_just_what_it_needs(fresh):
    jobs = fresh.planned("claim_control_biased_network")
    assert jobs == {"homogeneity": 7, "claim": 1, "figure": 1, "claim_control_biased_network": 1}
    jobs = fresh.planned("claim_densenet_direction")
    assert jobs["train"] == 7  # the path of every run is in its figure


def test_a_study_file_stands_alone(fresh):
    study = fresh.folder / "config" / "lone.yaml"
    study.write_text(
        "study: lone\n"
        "data: {d: {source: digits, classes: {negative: [0], positive: [1]}, train: 20, test: 10}}\n"
        "runs: {alexnet_biased: {data: d, model: {name: alexnet, width: 0.125, biases: true}, declared_degree: 6}}\n"
    )
    jobs = fresh.planned("audit", study="config/lone.yaml")
    assert jobs == {"homogeneity": 1, "claim": 1, "calibration": 1, "figure": 1, "audit": 1}
    default = fresh.planned(study=None)
    assert default["flow"] == 9
