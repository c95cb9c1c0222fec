"""Bad input: one clear line that names the key or file, exit code 2, no traceback, nothing half-written."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
STUDY = yaml.safe_load((ROOT / "tests" / "workflow" / "smoke.yaml").read_text())


def dirconv(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dirconv", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )


def one_line(run: subprocess.CompletedProcess[str], *parts: str) -> None:
    """Exit code 2 and a single line that holds each of `parts`."""
    lines = run.stderr.strip().splitlines()
    assert run.returncode == 2, run.stderr
    assert len(lines) == 1, run.stderr
    for part in parts:
        assert part in lines[0], lines[0]


def written(folder: Path, change) -> str:
    """The smallest study with a change, as a file."""
    study = json.loads(json.dumps(STUDY))
    change(study)
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(study))
    return str(path)


CHANGES = {
    "unknown key": (lambda s: s.update(thread=1), ["thread", "unknown key", "threads"]),
    "unknown nested key": (
        lambda s: s["runs"]["alexnet"]["flow"].update(tolerence=1),
        ["runs.alexnet.flow.tolerence", "tolerance"],
    ),
    "wrong type": (lambda s: s["runs"]["alexnet"].update(chunk="many"), ["runs.alexnet.chunk", "integer", "many"]),
    "out of bounds": (
        lambda s: s["runs"]["alexnet"]["train"].update(learning_rate=-1),
        ["learning_rate", "above zero"],
    ),
    "unknown model": (lambda s: s["runs"]["alexnet"].update(model={"name": "alexnett"}), ["alexnett", "alexnet"]),
    "unknown method": (lambda s: s["runs"]["alexnet"].update(flow={"method": "desc"}), ["flow.method", "descent"]),
    "unknown source": (lambda s: s["data"]["digits"].update(source="digit"), ["data.digits.source", "digits"]),
    "unknown data set": (lambda s: s["runs"]["alexnet"].update(data="digit"), ["runs.alexnet.data", "digits"]),
    "single class": (lambda s: s["data"]["digits"]["classes"].update(negative=[]), ["classes.negative"]),
    "unknown claim": (lambda s: s.update(claims=["direction_convergs"]), ["direction_convergs", "direction_converges"]),
    "claim without its run": (
        lambda s: s["runs"].pop("densenet") and s.update(claims=["densenet_direction"]),
        ["densenet"],
    ),
    "train without flow": (lambda s: s["runs"]["alexnet"].pop("flow"), ["runs.alexnet", "train", "flow"]),
    "bad depth": (lambda s: s["runs"]["densenet"]["model"].update(depth=12), ["depth", "12"]),
    "no name": (lambda s: s.update(study="../elsewhere"), ["study", "../elsewhere"]),
    "image size": (lambda s: s["data"]["digits"].update(size=16), ["data.digits.size", "32"]),
    "no runs": (lambda s: s.update(runs={}, problems={}), ["runs"]),
    "claim of a run that is not followed": (
        lambda s: [
            s["runs"]["densenet"].pop("train"),
            s["runs"]["densenet"].pop("flow"),
            s.update(claims=["densenet_direction"]),
        ],
        ["densenet_direction", "train"],
    ),
    "results with a pattern": (lambda s: s.update(results="{name}"), ["results", "'{name}'"]),
    "results like an option": (lambda s: s.update(results="-r"), ["results", "'-r'"]),
    "missing key": (lambda s: s["runs"]["alexnet"].pop("model"), ["runs.alexnet.model", "missing"]),
}


@pytest.mark.parametrize("name", list(CHANGES))
def test_study_file(name, tmp_path):
    change, parts = CHANGES[name]
    path = written(tmp_path, change)
    run = dirconv("resolve", "--study", path, "--job", "flow", "--name", "alexnet", "--seed", "0")
    one_line(run, path, *parts)


def test_a_probe_is_named_and_one_that_the_run_asks_for():
    asked = ["resolve", "--study", "config/reviewers.yaml", "--job", "probe", "--name", "first_pair", "--seed", "0"]
    one_line(dirconv(*asked), "--probe", "first_pair asks for generalization")
    one_line(dirconv(*asked, "--probe", "degree"), "--probe", "first_pair asks for generalization")
    found = json.loads(dirconv(*asked, "--probe", "generalization").stdout)
    assert found["probe"] == "generalization" and found["flow"]["method"] == "proximal"


def test_the_workflow_says_the_same_and_runs_nothing(tmp_path):
    path = written(tmp_path, lambda s: s.update(thread=1, results=str(tmp_path / "results")))
    command = [Path(sys.executable).parent / "snakemake", "--cores", "1", "--configfile", path]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    lines = [line for line in run.stderr.splitlines() if "error" in line.lower()]
    assert len(lines) == 1 and "thread: unknown key; did you mean 'threads'?" in lines[0]
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "results").exists()


def test_unknown_claim_target():
    command = [Path(sys.executable).parent / "snakemake", "--cores", "1", "claim_direction_convergs"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "claim_direction_converges" in run.stderr and "Traceback" not in run.stderr


def test_study_files_that_are_none(tmp_path):
    one_line(dirconv("audit", "--study", str(tmp_path / "none.yaml")), "none.yaml", "not found")
    (tmp_path / "broken.yaml").write_text("study: [")
    one_line(dirconv("audit", "--study", str(tmp_path / "broken.yaml")), "broken.yaml", "not valid YAML")
    (tmp_path / "list.yaml").write_text("[1, 2]")
    one_line(dirconv("audit", "--study", str(tmp_path / "list.yaml")), "list.yaml", "mapping")


def test_arguments():
    one_line(dirconv("train"), "--spec")
    one_line(dirconv("nonsense"), "nonsense")
    one_line(
        dirconv(
            "train",
            *["--spec", "nonsense", "--split", "a", "--check", "b", "--out", "c", "--checkpoints", "d", "--log", "e"],
        ),
        "--spec",
    )
    one_line(dirconv("audit", "--check", "nowhere.json"), "nowhere.json", "not found")


def test_training_refuses_a_degree_that_is_not_there(tmp_path):
    from dirconv.stages import homogeneity, train
    from dirconv.study import validate

    path = written(tmp_path, lambda s: s["runs"]["alexnet_biased"].update(train={}, flow={"method": "descent"}))
    spec = validate.load(Path(path), {"registry": str(ROOT / "config" / "claims.yaml")}).specifications.train(
        "alexnet_biased", 0
    )
    check = tmp_path / "check"
    homogeneity.run(spec, check)
    paths = ["--split", "none", "--check", str(check), "--out", str(tmp_path / "out")]
    more = ["--checkpoints", str(tmp_path / "checkpoints"), "--log", str(tmp_path / "log.txt")]
    run = dirconv("train", "--spec", json.dumps(spec), *paths, *more)
    one_line(run, "runs.alexnet_biased", "degree 6", "c^6")
    assert not (tmp_path / "out").exists() and not (tmp_path / "log.txt").exists()
    assert train.CLASSIFIED  # the stage exists and was what refused


def test_unwritable_results(tmp_path):
    (tmp_path / "results").write_text("a file where a folder is needed")
    spec = {"source": "digits", "classes": {"negative": [0], "positive": [1]}}
    run = dirconv("data", "--name", "digits", "--spec", json.dumps(spec), "--out", str(tmp_path / "results" / "smoke"))
    one_line(run, str(tmp_path / "results"), "cannot be written")
    assert [p.name for p in tmp_path.iterdir()] == ["results"]


def test_a_study_that_reads_a_folder_says_which_path_is_missing(tmp_path):
    def change(study):
        study["data"]["digits"] = {"source": "folder", "classes": {"negative": ["a"], "positive": ["b"]}}

    path = written(tmp_path, change)
    spec = dirconv("resolve", "--study", path, "--job", "data", "--name", "digits")
    assert spec.returncode == 0, spec.stderr
    run = dirconv("data", "--spec", spec.stdout, "--name", "digits", "--out", str(tmp_path / "out"))
    one_line(run, "data.digits.path", "images=PATH")
    assert not (tmp_path / "out").exists()
