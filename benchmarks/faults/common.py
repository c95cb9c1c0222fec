"""What the parts share: seeded trials that are recorded one by one, a small finished study, commands with limits."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml

from dirconv import artifacts, cli
from dirconv.provenance import commit
from dirconv.stages import audit, claim, data, figure, flow, homogeneity, measure, problem, train
from dirconv.study import validate
from dirconv.study.resolve import Study

ROOT = Path(__file__).parents[2]
GOOD = "good"
BAD = ("lost", "unnamed", "traceback", "hang")  # what a trial may end with besides
LIMIT = 120.0  # seconds of CPU after which a command hangs, and of waiting ten times that: the machine may be shared
MEMORY = 3.0  # GiB that a command may hold: torch itself takes a third of it


@dataclasses.dataclass(frozen=True)
class End:
    """How a trial ended: `GOOD` or one of `BAD`, and what was seen."""

    kind: str  # of fault
    outcome: str
    seen: str = ""


@dataclasses.dataclass(frozen=True)
class Said:
    """What a command answered. code: None where it ran past its limit."""

    code: int | None
    out: str
    error: str
    peak_gib: float

    def outcome(self, *codes: int) -> str:
        """Whether it ended with one of the codes; with 2, with one line that says why."""
        if self.code is None:
            return "hang"
        if "Traceback" in self.error + self.out or self.peak_gib > MEMORY:
            return "traceback"
        lines = [line for line in self.error.splitlines() if line.startswith("dirconv: error: ")]
        if self.code not in codes or (self.code == 2 and len(lines) != 1):
            return "unnamed"
        return GOOD


def trials(
    options: argparse.Namespace, part: str, count: int, one: Callable[[int, random.Random], End | list[End]]
) -> None:
    """Run `count` trials; each is recorded in --work when it has ended, and not run again.

    one: a trial, or a few at once, of its number and a generator that is seeded by --seed and the number.
    """
    path = options.work / f"{part}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    known = {row["trial"] for row in rows if row["seed"] == options.seed}
    for number in range(count):
        if number not in known:
            ends = one(number, random.Random(f"{options.seed} {part} {number}"))
            made = [
                {"trial": number, "seed": options.seed, "commit": commit(), **dataclasses.asdict(end)}
                for end in (ends if isinstance(ends, list) else [ends])
            ]
            with open(path, "a", encoding="utf-8") as file:
                file.write("".join(f"{json.dumps(row)}\n" for row in made))
            for row in made:
                print(f"{part} {number}: {row['kind']}: {row['outcome']} {row['seen'][:200]!r}", flush=True)


def section(options: argparse.Namespace, part: str, asked: int) -> dict[str, Any] | None:
    """What the record keeps of a part's trials so far: numbers by kind of fault, and every trial that was not good.

    None where --work has none. asked: how many trials the part has.
    """
    path = options.work / f"{part}.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    rows = [row for row in map(json.loads, lines) if row["seed"] == options.seed]
    if not rows:
        return None
    kinds: dict[str, dict[str, int]] = {}
    for row in rows:
        counts = kinds.setdefault(row["kind"], dict.fromkeys(("trials", *BAD), 0))
        counts["trials"] += 1
        if row["outcome"] != GOOD:
            counts[row["outcome"]] += 1
    return {
        "seed": options.seed,
        "asked": asked,
        "trials": len(rows),
        "commits": sorted({row["commit"] or "" for row in rows}),
        "kinds": dict(sorted(kinds.items())),
        "not_good": [row for row in rows if row["outcome"] != GOOD],
    }


ALEXNET = {
    "data": "digits",
    "model": {"name": "alexnet", "width": 0.125},
    "seeds": [0, 1],
    "train": {"learning_rate": 0.05, "batch": 20},
    "flow": {"method": "proximal", "tolerance": 0.2},
    "stop": {"tau": 0.2},
    "snapshots_per_decade": 2,
}
STUDY = {  # a run with its pair at half the tolerance, a control, a problem
    "study": "small",
    "device": "cpu",
    "data": {
        "digits": {
            "source": "digits",
            "classes": {"negative": [0, 2, 4, 6, 8], "positive": [1, 3, 5, 7, 9]},
            "train": 60,
            "test": 40,
        }
    },
    "runs": {
        "alexnet": ALEXNET,
        "alexnet_half": {**ALEXNET, "seeds": [0], "flow": {"method": "proximal", "tolerance": 0.1}},
        "alexnet_biased": {
            "data": "digits",
            "model": {"name": "alexnet", "width": 0.125, "biases": True},
            "declared_degree": 6,
        },
    },
    "problems": {"mexican_hat": {"problem": {"name": "mexican_hat", "turns": 3.0}, "seeds": [0, 1]}},
}
CONFIG, RESULTS, FIGURES = Path("config/small.yaml"), Path("results/small"), Path("figures/small")


def finished(options: argparse.Namespace) -> Path:
    """The folder of a small study that has run to its end, made once and kept in --work."""
    folder, whole = options.work / "finished", options.work / "finished-is-whole"
    if not whole.exists():
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "config").mkdir(parents=True)
        shutil.copy(ROOT / "config" / "claims.yaml", folder / "config")
        (folder / CONFIG).write_text(yaml.safe_dump(STUDY), encoding="utf-8")
        with contextlib.chdir(folder):
            _follow(validate.load(CONFIG))
        whole.touch()
    return folder


def fresh(options: argparse.Namespace, name: str) -> Path:
    """A copy of the finished study in --work that trials may change."""
    folder = options.work / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(finished(options), folder)
    return folder


def _follow(study: Study) -> None:
    """Every job of the study, one after the other, in this process, which has imported torch already."""
    spec, starts = study.specifications, RESULTS / "starts"
    data.run(spec.data("digits"), RESULTS / "data" / "digits", "digits")
    problem.run(spec.problem("mexican_hat"), RESULTS / "measures" / "mexican_hat")
    for name, run in study.file.runs.items():
        homogeneity.run(spec.network(name, run.seeds[0]), RESULTS / "measures" / name / "homogeneity")
    for member, (name, seed) in study.members.items():
        split, last = RESULTS / "data" / "digits", (RESULTS / "checkpoints", RESULTS / "logs" / "log.txt")
        check, measures = (RESULTS / "measures" / place for place in (f"{name}/homogeneity", member))
        train.run(spec.train(name, seed), split, check, starts / member, *last)
        flow.run(spec.flow(name, seed), split, starts / member, RESULTS / "runs" / member, *last)
        measure.run(spec.flow(name, seed), split, starts / member, RESULTS / "runs" / member, measures)
    # how often the rules are wrong depends on the registry alone: the scores of a committed study
    artifacts.write_json(RESULTS / "calibration.json", artifacts.read_json(ROOT / "results/theorems/calibration.json"))
    judge(study, *study.claims)
    for name, members in study.figures.items():
        figure.run(name, RESULTS / "measures", members, FIGURES / f"{name}.png")
    audit.run(CONFIG, "{}")


def judge(study: Study, *names: str) -> None:
    """Claims of a study, in its project's folder."""
    registry, measures = Path(study.file.registry), RESULTS / "measures"
    for name in names:
        claim.run(name, registry, measures, study.evidence(name), RESULTS / "claims" / f"{name}.json")


def environment(folder: Path) -> dict[str, str]:
    """The environment of a command that runs the `src` of a folder."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(folder / "src"), "OMP_NUM_THREADS": "1"}


def started(call: Callable[[], int | None], folder: Path, out: Any, error: Any) -> int:
    """The process of a call, forked: it need not import torch anew. Its exit code is what the call returns."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.chdir(folder)
        os.dup2(out.fileno(), 1)
        os.dup2(error.fileno(), 2)
        torch.set_num_threads(1)
        code = call() or 0
    except SystemExit as stopped:
        code = stopped.code if isinstance(stopped.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def said(call: Callable[[], int | None], folder: Path, limit: float = LIMIT) -> Said:
    """What a call answers in a process of its own. limit: see `LIMIT`."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error:
        child, end = started(call, folder, out, error), time.monotonic() + 10 * limit
        while True:
            ended, status, used = os.wait4(child, os.WNOHANG)
            if ended:
                break
            if time.monotonic() > end or cpu_seconds(child) > limit:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return Said(None, "", "", 0.0)
            time.sleep(0.005)
        texts = []
        for file in (out, error):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
        return Said(os.waitstatus_to_exitcode(status), *texts, used.ru_maxrss / 2**20)


def cpu_seconds(process: int) -> float:
    """The CPU time that a process has used, or has had until it ended."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def dirconv(*words: str) -> Callable[[], int]:
    """The command `dirconv …`."""
    return functools.partial(cli.main, list(words))
