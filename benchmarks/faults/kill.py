"""Kill: jobs and Snakemake ended by SIGKILL at a random moment, then run again.

Wanted: nothing is lost. What was checkpointed is gone on from, no half-written folder is taken for a whole one, and the
end is bit for bit that of a run that was not killed.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from benchmarks.faults.common import (
    ALEXNET,
    CONFIG,
    GOOD,
    RESULTS,
    ROOT,
    STUDY,
    End,
    Said,
    cpu_seconds,
    dirconv,
    environment,
    finished,
    said,
    started,
    trials,
)
from dirconv import artifacts
from dirconv.errors import UserError
from dirconv.study import validate

JOBS = ("train", "flow", "measure", "figure")
COUNT, WORKFLOWS = 50, 3
FIGURE, RUN = "alignment", "alexnet/seed0"
TARGET = "claim_risk_to_zero"
MISSING = 1200.0  # seconds after which Snakemake hangs


def run(options: argparse.Namespace) -> None:
    """Fifty trials: the jobs in turn, and then Snakemake."""
    os.environ["DIRCONV_CHECKPOINT_SECONDS"] = "0"

    def one(number: int, draw: random.Random) -> End:
        folder = options.work / "kill" / str(number)
        if number < COUNT - WORKFLOWS:
            return killed_job(JOBS[number % len(JOBS)], finished(options), folder, draw.random())
        return killed_workflow(folder, draw.random())

    trials(options, "kill", COUNT, one)


def job(stage: str, whole: Path, folder: Path) -> tuple[Callable[[], int], Path, list[str]]:
    """A stage's command on the finished study's inputs, the folder that its outputs should equal, and their names."""
    study, results = validate.load(whole / CONFIG, {"registry": str(whole / "config/claims.yaml")}), whole / RESULTS
    if stage == "figure":
        names = [f"{FIGURE}.{suffix}" for suffix in ("csv", "pdf", "png")]
        words = ["--figure", FIGURE, "--measures", str(results / "measures"), "--out", str(folder / "out" / names[-1])]
        return dirconv("figure", *words, *study.figures[FIGURE]), whole / "figures" / "small", names
    like = results / {"train": "starts", "flow": "runs", "measure": "measures"}[stage] / RUN
    spec = study.specifications.train if stage == "train" else study.specifications.flow
    words = ["--spec", json.dumps(spec("alexnet", 0)), "--split", str(results / "data" / "digits")]
    words += ["--out", str(folder / "out")]
    if stage == "train":
        words += ["--check", str(results / "measures" / "alexnet" / "homogeneity")]
    else:
        words += ["--start", str(results / "starts" / RUN)]
    if stage == "measure":
        words += ["--trajectory", str(results / "runs" / RUN)]
    else:
        words += ["--checkpoints", str(folder / "checkpoints"), "--log", str(folder / "log.txt")]
    return dirconv(stage, *words), like, sorted(artifacts.read_manifest(like)["files"])


def stopped(call: Callable[[], int], folder: Path, after: float) -> float | None:
    """Start a call and kill it when it has used so many seconds of CPU; those that it used if it ended before.

    Of CPU: the moment is then the same however busy the machine is.
    """
    with tempfile.TemporaryFile() as out:
        child = started(call, folder, out, out)
        while True:
            ended, _, used = os.wait4(child, os.WNOHANG)
            if ended:
                return used.ru_utime + used.ru_stime
            if cpu_seconds(child) >= after:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return None
            time.sleep(0.002)


@functools.cache
def seconds(stage: str, whole: Path, folder: Path) -> float:
    """The CPU time of a job that nobody kills."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    took = stopped(job(stage, whole, folder)[0], folder, float("inf"))
    shutil.rmtree(folder)
    assert took is not None
    return took


def killed_job(stage: str, whole: Path, folder: Path, share: float) -> End:
    """A job, killed after this share of the time that it takes, and run again."""
    after = share * seconds(stage, whole, folder.parent / stage)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    call, like, names = job(stage, whole, folder)
    early = stopped(call, folder, after) is None
    kept = bool(list(folder.glob("checkpoints/*/state.json")))
    if stage != "figure" and (folder / "out" / artifacts.MANIFEST).exists():
        try:
            artifacts.read_manifest(folder / "out")
        except UserError as error:
            return End(stage, "lost", f"taken for whole: {error}")
    again = said(call, folder)
    outcome = again.outcome(0)
    if outcome != GOOD:
        return End(stage, outcome, again.error[-500:])
    if kept and "resumes at" not in (folder / "log.txt").read_text(encoding="utf-8"):
        return End(stage, "lost", "did not go on from its checkpoint")
    if wrong := different(folder / "out", like, names, *(() if stage == "figure" else (artifacts.MANIFEST,))):
        return End(stage, "lost", wrong)
    shutil.rmtree(folder)
    return End(stage, GOOD, f"killed after {after:.2f} s of CPU" if early else "ended before it was killed")


def different(folder: Path, like: Path, names: list[str], *others: str) -> str:
    """What is not as in the folder `like`: files with other bits, and those that should not be there."""
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    other = [name for name in names if name not in there or (folder / name).read_bytes() != (like / name).read_bytes()]
    left = sorted(there - {*names, *others})
    return f"other bits: {', '.join(other)}" * bool(other) + f"left behind: {', '.join(left)}" * bool(left)


def killed_workflow(folder: Path, share: float) -> End:
    """Snakemake with all its jobs, killed on the way to a verdict and its figure, and run again."""
    whole = folder.parent / "whole"
    words = ["snakemake", "--cores", "1", TARGET, "--configfile", str(CONFIG)]
    if not (whole / "seconds").exists():
        project(whole)
        begin = time.monotonic()
        if (run := workflow(words, whole)).code:
            raise SystemExit(run.error)
        (whole / "seconds").write_text(str(time.monotonic() - begin))
    project(folder)
    after = share * float((whole / "seconds").read_text())
    process = subprocess.Popen(
        words, cwd=folder, env=environment(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    early = False
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        early = True
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    again = workflow(words, folder)
    locked = bool(again.code) and "--unlock" in again.error + again.out
    if locked:  # Snakemake says what to do, and so it is done
        workflow([*words, "--unlock"], folder)
        again = workflow(words, folder)
    if again.code is None:
        return End("snakemake", "hang")
    if again.code:
        return End("snakemake", "unnamed", again.error[-800:])
    for part in (*(RESULTS / name for name in ("measures", "runs", "starts")), Path("figures/small")):
        names = [path.relative_to(whole / part).as_posix() for path in (whole / part).rglob("*") if path.is_file()]
        manifests = [name for name in names if name.endswith(artifacts.MANIFEST)]  # they tell the time
        if wrong := different(folder / part, whole / part, sorted({*names} - {*manifests}), *manifests):
            return End("snakemake", "lost", f"{part}: {wrong}")
    shutil.rmtree(folder)
    said_so = ", its lock was named" if locked else ""
    return End("snakemake", GOOD, f"killed after {after:.0f} s{said_so}" if early else "ended before it was killed")


def project(folder: Path) -> None:
    """A project whose study is one run of AlexNet, with the code of this checkout."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("workflow", "profiles", "config", "src"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "Snakefile", folder)
    run = {**ALEXNET, "seeds": [0]}
    study = {**STUDY, "runs": {"alexnet": run}, "problems": {}, "claims": [TARGET.removeprefix("claim_")]}
    (folder / CONFIG).write_text(yaml.safe_dump(study), encoding="utf-8")


def workflow(words: list[str], folder: Path) -> Said:
    """What Snakemake answers in a project."""
    try:
        run = subprocess.run(
            words, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=MISSING, check=False
        )
    except subprocess.TimeoutExpired:
        return Said(None, "", "", 0.0)
    return Said(run.returncode, run.stdout, run.stderr, 0.0)
