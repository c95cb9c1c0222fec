"""Bad input: study files, registries, archives, command lines and the arguments of `dirconv.follow`, by hypothesis.

Wanted: exit code 0, or 2 and one line; no traceback, no hang, bounded memory, nothing outside the folder named.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import random
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from benchmarks.faults.common import CONFIG, GOOD, End, finished, said, trials
from benchmarks.faults.surfaces import SURFACES, Case
from dirconv.options import modules
from dirconv.study import validate

COUNT = 2000
GROUP = 50  # cases that are made and recorded together
SECONDS = 60.0  # of CPU
ROOM = 3 * 2**30  # bytes of address space that a case may take beyond what is there


def run(options: argparse.Namespace) -> None:
    """All cases, the surfaces in turn, a group a trial."""
    whole = finished(options)
    warm(whole)

    def one(number: int, draw: random.Random) -> list[End]:
        return cases(SURFACES[number % len(SURFACES)], GROUP, draw.getrandbits(64), options.work / "input", whole)

    trials(options, "input", COUNT // GROUP, one)


def warm(whole: Path) -> None:
    """Import here what cases need, which then have it when they are forked."""
    for package in ("claims.rules", "models", "flow.methods", "problems", "data", "measures", "figures", "stages"):
        for name in modules(package):
            importlib.import_module(f"dirconv.{package}.{name}")
    validate.load(whole / CONFIG, {"registry": str(whole / "config/claims.yaml")})
    gc.collect()
    gc.freeze()  # what a fork shares stays shared


def cases(surface: Callable[..., Case], count: int, number: int, folder: Path, whole: Path) -> list[End]:
    """How so many cases of a surface end, each in a process and a folder of its own."""
    ends: list[End] = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def every(data: Any) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        kind, call = surface(data.draw, folder, whole)
        ends.append(ended(kind, call, folder))

    every()
    shutil.rmtree(folder, ignore_errors=True)
    return ends


def ended(kind: str, call: Callable[[], int | None], folder: Path) -> End:
    """How a case ends."""
    before = listed(folder)

    def bounded() -> int | None:
        room = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE") + ROOM
        resource.setrlimit(resource.RLIMIT_AS, (room, room))
        return call()

    answer = said(bounded, folder, SECONDS)
    outcome = answer.outcome(0, 1, 2, 75)
    seen = answer.error.strip()[-1500:]
    if outcome == GOOD and answer.code == 1 and not kind.startswith("command c"):  # `check`, `claims` may say no
        outcome = "unnamed"
    elsewhere = {name for name in listed(folder) - before if name.split("/")[0] != "out"}
    if outcome == GOOD and elsewhere - {"README.md"}:
        outcome, seen = "lost", f"written outside: {sorted(elsewhere)}"
    half = [name for name in listed(folder / "out") if name.rpartition("/")[2].startswith(".")]
    if outcome == GOOD and half:
        outcome, seen = "lost", f"half-written: {half}"
    return End(kind, outcome, seen)


def listed(folder: Path) -> set[str]:
    """All files below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
