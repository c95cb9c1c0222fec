"""A job that is killed goes on where it was, and ends with the very same numbers as one that was not."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pandas as pd
import pytest
from project import ROOT

from dirconv import artifacts
from dirconv.study.resolve import Study
from dirconv.study.validate import load


@pytest.fixture(scope="module")
def study() -> Study:
    return load(ROOT / "tests" / "workflow" / "smoke.yaml", {"registry": str(ROOT / "config" / "claims.yaml")})


def arguments(stage: str, spec: dict, out: Path, checkpoints: Path, folder: Path, source: str) -> list[str]:
    """The command of a training stage on the finished study's inputs."""
    inputs = {
        "train": ["--check", str(folder / "measures" / "alexnet" / "homogeneity")],
        "flow": ["--start", str(folder / "starts" / "alexnet" / "seed0")],
    }[stage]
    return [
        *(sys.executable, "-m", "dirconv", stage, "--spec", json.dumps(spec)),
        *("--split", str(folder / "data" / "digits"), *inputs),
        *("--out", str(out), "--checkpoints", str(checkpoints), "--log", str(out / "log.txt")),
    ]


def kill_after_first_checkpoint(command: list[str], checkpoints: Path) -> None:
    process = subprocess.Popen(command, env={**os.environ, "DIRCONV_CHECKPOINT_SECONDS": "0"}, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while not list(checkpoints.glob("*/state.json")):
        assert process.poll() is None and time.monotonic() < deadline, process.stderr.read()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()


@dataclasses.dataclass
class Job:
    """A training stage, to be run again, and what it wrote when the study ran."""

    command: list[str]
    out: Path
    checkpoints: Path
    whole: Path
    names: tuple[str, str]

    def ends_with_the_same_bits(self) -> None:
        for name in self.names:
            assert artifacts.sha256(self.out / name) == artifacts.sha256(self.whole / name), name


@pytest.fixture(params=["train", "flow"])
def job(request, study, done, tmp_path) -> Job:
    out, checkpoints = tmp_path / "out", tmp_path / "checkpoints"
    if request.param == "train":
        spec, folder, names = study.specifications.train, "starts", ("start.safetensors", "training.parquet")
    else:
        spec, folder, names = study.specifications.flow, "runs", ("snapshots.safetensors", "steps.parquet")
    command = arguments(request.param, spec("alexnet", 0), out, checkpoints, done.results, "digits")
    return Job(command, out, checkpoints, done.results / folder / "alexnet" / "seed0", names)


def test_a_killed_job_goes_on_bit_for_bit(job):
    kill_after_first_checkpoint(job.command, job.checkpoints)
    assert not (job.out / artifacts.MANIFEST).exists()
    subprocess.run(job.command, check=True, capture_output=True)
    assert "resumes at" in (job.out / "log.txt").read_text()
    job.ends_with_the_same_bits()
    assert not list(job.checkpoints.glob("*/state.json"))  # done: nothing is left behind


def test_a_job_in_pieces_ends_with_the_same_bits(job):
    """--seconds 0 ends after every epoch and step: each piece goes one further."""
    ends = []
    for _ in range(2):
        piece = subprocess.run([*job.command, "--seconds", "0"], capture_output=True, text=True, check=False)
        assert piece.returncode == 75
        ends.append(piece.stderr.strip().splitlines()[-1])
        assert not (job.out / artifacts.MANIFEST).exists()
        assert list(job.checkpoints.glob("*/state.json"))
    assert all(end.endswith("time limit, rerun the same command to resume") for end in ends)
    assert ends[0] != ends[1]
    subprocess.run(job.command, check=True, capture_output=True)
    job.ends_with_the_same_bits()


def test_a_run_whose_time_is_up_can_end_there(study, done, tmp_path):
    """--last: what there is can be measured, says why it ended, and goes on once it is deleted."""
    spec, out = study.specifications.flow("alexnet", 0), tmp_path / "out"
    whole = done.results / "runs" / "alexnet" / "seed0"
    command = arguments("flow", spec, out, tmp_path / "checkpoints", done.results, "digits")
    for _ in range(3):
        subprocess.run([*command, "--seconds", "0", "--last"], check=True, capture_output=True)
        if (out / "steps.parquet").exists() and len(pd.read_parquet(out / "steps.parquet")) > 3:
            break
        shutil.rmtree(out)
    assert artifacts.read_manifest(out)["stop"] == "time"
    steps, all_steps = (pd.read_parquet(folder / "steps.parquet") for folder in (out, whole))
    assert 3 < len(steps) < len(all_steps)
    pd.testing.assert_frame_equal(steps, all_steps[: len(steps)], check_exact=True)
    kept = artifacts.read_tensors(out / "snapshots.safetensors")
    assert len(kept["steps"]) == len(kept["weights"])
    assert kept["steps"][-1] == steps["step"].iloc[-1]
    measure = ["measure", "--spec", json.dumps(spec), "--split", str(done.results / "data" / "digits")]
    start = ["--start", str(done.results / "starts" / "alexnet" / "seed0"), "--trajectory", str(out)]
    measured = [*measure, *start, "--out", str(tmp_path / "measures")]
    subprocess.run([sys.executable, "-m", "dirconv", *measured], check=True, capture_output=True)
    assert artifacts.read_manifest(tmp_path / "measures")["stop"] == "time"
    shutil.rmtree(out)
    subprocess.run(command, check=True, capture_output=True)
    for name in ("snapshots.safetensors", "steps.parquet"):
        assert artifacts.sha256(out / name) == artifacts.sha256(whole / name), name


def test_two_processes_do_not_share_a_run(study, done, tmp_path):
    import fcntl

    from dirconv.stages import _job

    spec = study.specifications.flow("alexnet", 0)
    inputs = (done.results / "data" / "digits" / "split.safetensors",)
    start = done.results / "starts" / "alexnet" / "seed0" / "start.safetensors"
    checkpoint = _job.Checkpoint(tmp_path / "checkpoints", "flow", spec, *inputs, start)
    checkpoint.folder.mkdir(parents=True)
    with open(checkpoint.folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = arguments("flow", spec, tmp_path / "out", tmp_path / "checkpoints", done.results, "digits")
        run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "another process works on this run" in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1


LACKING = (
    "pydantic",
    "yaml",
    "snakemake",
    "sklearn",
    "torchvision",
    "matplotlib",
    "jinja2",
    "torchdiffeq",
    "qpsolvers",
)


def test_a_run_needs_neither_snakemake_nor_pydantic(study, done, tmp_path):
    """From the check to the measures, as on a machine with a GPU and little else; its tables are the workflow's."""
    spec = tmp_path / "flow.json"
    spec.write_text(json.dumps(study.specifications.flow("alexnet", 0)))
    program = (
        f"import sys\nfor name in {LACKING}: sys.modules[name] = None\nfrom dirconv.cli import main\nsys.exit(main())"
    )
    split = ["--split", str(done.results / "data" / "digits")]
    log = [*("--checkpoints", str(tmp_path / "checkpoints")), *("--log", str(tmp_path / "log.txt"))]
    check, start, run, out = (str(tmp_path / name) for name in ("check", "start", "run", "measures"))
    for stage in (
        ["homogeneity", "--out", check],
        ["train", *split, "--check", check, "--out", start, *log],
        ["flow", *split, "--start", start, "--out", run, *log],
        ["measure", *split, "--start", start, "--trajectory", run, "--out", out],
    ):
        command = [sys.executable, "-c", program, *stage, "--spec", str(spec)]
        subprocess.run(command, check=True, capture_output=True)
    for name in artifacts.read_manifest(Path(out))["files"]:
        assert artifacts.sha256(Path(out) / name) == artifacts.sha256(
            done.results / "measures" / "alexnet" / "seed0" / name
        )
    manifest = artifacts.read_manifest(Path(out))
    assert manifest["specification"] == artifacts.finite(study.specifications.flow("alexnet", 0))


def test_a_run_in_pieces_on_a_bare_machine_gives_the_workflows_tables(study, done, tmp_path):
    """workflow/piece.sh and lease.sh, with what travels: code, split, specification, check."""
    for part in ("src", "workflow"):
        (tmp_path / part).symlink_to(ROOT / part)
    results = tmp_path / "results" / "smoke"
    for part in ("data/digits", "measures/first_pair/homogeneity"):
        shutil.copytree(done.results / part, results / part)
    (results / "specifications").mkdir()
    specification = results / "specifications" / "first_pair-0.json"
    specification.write_text(json.dumps(study.specifications.flow("first_pair", 0)))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def started(*words: str) -> subprocess.Popen:
        environment = {**os.environ, "PATH": path, "STUDY": "smoke", "DATA": "digits"}
        return subprocess.Popen(["sh", *words], cwd=tmp_path, env=environment, start_new_session=True)

    def packed(folder: str) -> list[str]:
        with tarfile.open(tmp_path / folder / "measures.tar.gz") as found:
            return found.getnames()

    assert started("workflow/piece.sh", "first_pair", "0", "1", "smoke", "digits").wait() == 75
    log = results / "logs" / "first_pair-0.log"
    said, deadline = log.stat().st_size, time.monotonic() + 120
    cut = started("workflow/lease.sh", "600", "cut", "first_pair-0")
    while log.stat().st_size == said:
        assert cut.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(cut.pid, signal.SIGTERM)
    assert cut.wait() == 143
    assert "results/smoke/logs/first_pair-0.log" in packed("cut")
    assert started("workflow/lease.sh", "600", "out", "first_pair-0").wait() == 0
    for name in ("runs/first_pair/seed0/steps.parquet", "measures/first_pair/seed0/path.parquet"):
        assert f"results/smoke/{name}" in packed("out")
    # what is measured is not measured again, unless the run is newer: it may have gone on after LAST=1
    measured = results / "measures" / "first_pair" / "seed0" / artifacts.MANIFEST
    for older, again in ((False, False), (True, True)):
        if older:
            os.utime(measured, (0, 0))
        before = measured.stat().st_mtime_ns
        assert started("workflow/piece.sh", "first_pair", "0", "600", "smoke", "digits").wait() == 0
        assert (measured.stat().st_mtime_ns != before) == again
    ours, theirs = (folder / "measures" / "first_pair" / "seed0" for folder in (results, done.results))
    tables = sorted(table.name for table in theirs.glob("*.parquet"))
    assert tables and all(artifacts.sha256(ours / name) == artifacts.sha256(theirs / name) for name in tables)
