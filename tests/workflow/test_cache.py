"""What is done again after an edit, a deletion or a touch, and what is not."""

from __future__ import annotations

import os

from project import raise_version


def test_nothing_to_be_done_twice_nor_after_a_touch(finished):
    assert finished.planned() == {}
    for folder in ("results", "figures", "src", "config", "workflow", "notebooks"):
        for path in (finished.folder / folder).rglob("*"):
            if path.is_file():
                os.utime(path)
    assert finished.planned() == {}


def test_a_raised_version_reruns_its_chain_and_no_other(finished):
    source = finished.folder / "src" / "dirconv"

    def planned_after(module: str) -> dict[str, int]:
        path = source / module
        original = path.read_text()
        raise_version(path)
        jobs = finished.planned()
        path.write_text(original)
        return jobs

    after = {"audit": 1, "notebook": 1, "check": 1, "default": 1}
    assert planned_after("figures/errors.py") == {"figure": 1, **after}
    assert planned_after("claims/rules/risk.py") == {"claim": 1, **after}
    # a part that only other parts go through: fourteen claims are judged by an exponent, and five figures show one
    assert planned_after("claims/statistics.py") == {"claim": 14, "calibration": 1, "figure": 5, **after}
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
    jobs = planned_after("flow/methods/descent.py")
    assert (jobs["flow"], jobs["measure"]) == (2, 2)
    assert "train" not in jobs
    jobs = planned_after("data/digits.py")
    assert (jobs["data"], jobs["train"], jobs["flow"]) == (1, 7, 7)
    assert "homogeneity" not in jobs
    jobs = planned_after("margins/network.py")  # at both ends of a chain: nothing in between may be passed over
    assert (jobs["homogeneity"], jobs["train"], jobs["flow"], jobs["measure"]) == (7, 7, 7, 7)
    assert finished.planned() == {}


def test_an_edit_that_moves_no_number_reruns_nothing(finished):
    """A remark, a renamed variable, a moved function, a renamed module, a module split in two."""
    source = finished.folder / "src" / "dirconv"
    descent = source / "flow" / "methods" / "descent.py"
    descent.write_text(descent.read_text() + "\n# a remark\n")
    assert finished.planned() == {}
    descent.write_text(descent.read_text().replace("rejected", "refused_so_far"))
    assert finished.planned() == {}
    # the function `level` moves to a module that is new, and says that it moves numbers
    flow = source / "flow" / "__init__.py"
    text = flow.read_text()
    start = text.index("def level(")
    end = text.index("\n\n\n", start)
    (source / "flow" / "levels.py").write_text(f"import math\n\nNUMERICS = 1\n\n\n{text[start:end]}\n")
    flow.write_text(text[:start] + "from dirconv.flow.levels import level  # noqa: E402" + text[end:])
    assert finished.planned() == {}
    for path in source.rglob("*.py"):
        path.write_text(
            path.read_text()
            .replace("flow.dual", "flow.softmin")
            .replace("flow import dual", "flow import softmin as dual")
        )
    (source / "flow" / "dual.py").rename(source / "flow" / "softmin.py")
    assert finished.planned() == {}
    assert finished.run("dirconv", "--version").returncode == 0


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
    assert default["flow"] == 12
