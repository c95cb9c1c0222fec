"""A clone that holds measures and nothing else: they are its reference, as far as they are the study's."""

from __future__ import annotations

import json
import os
import shutil

from project import raise_version


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


def judged(done, fresh):
    """The clone with verdicts and figures as well: what is left to do is the audit."""
    for part in ("measures", "claims"):
        shutil.copytree(done.results / part, fresh.results / part)
    shutil.copy2(done.results / "calibration.json", fresh.results)
    shutil.copytree(done.figures, fresh.figures)


def test_problems_of_an_edited_study_are_no_reference(done, fresh):
    judged(done, fresh)
    study = fresh.folder / "config" / "smoke.yaml"
    study.write_text(study.read_text().replace("turns: 3.0", "turns: 3.5"))
    run = fresh.snakemake("audit")
    assert run.returncode != 0
    assert "measures/mexican_hat/seed0: made with other options" in run.stderr
    shutil.rmtree(fresh.results / "measures" / "mexican_hat")
    assert fresh.planned("audit")["problem_mexican_hat"] == 1


def test_a_raised_version_makes_the_audit_say_stale(done, fresh):
    judged(done, fresh)
    raise_version(fresh.folder / "src" / "dirconv" / "models" / "densenet.py")
    raise_version(fresh.folder / "src" / "dirconv" / "claims" / "rules" / "risk.py")  # makes no measure stale
    assert fresh.planned("audit") == {"audit": 1}
    run = fresh.snakemake("audit")
    assert run.returncode == 0, run.stderr
    claims = {claim["id"]: claim for claim in json.loads((fresh.results / "audit.json").read_text())["claims"]}
    assert claims["densenet_direction"]["stale"] == ["densenet/seed0"]
    assert claims["direction_converges"]["stale"] == []
    assert "STALE" in (fresh.results / "audit.md").read_text().upper()
    # what made the start and the split counts as well
    raise_version(fresh.folder / "src" / "dirconv" / "training.py")
    assert fresh.snakemake("audit").returncode == 0  # done again: what it says of the code is a parameter
    claims = {claim["id"]: claim for claim in json.loads((fresh.results / "audit.json").read_text())["claims"]}
    assert claims["direction_converges"]["stale"] == ["alexnet/seed0", "alexnet/seed1", "alexnet_half/seed0"]
