"""Disk: no room, a limit on a file's size that is reached while it is written, a file system that is read-only.

Wanted: one line that says so, nothing half-written, and the same command goes on to the same bits once there is room.
Needs the right to mount a tmpfs; without it only the limit is tried.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import subprocess
from collections.abc import Callable
from pathlib import Path

from benchmarks.faults.common import GOOD, End, finished, said, trials
from benchmarks.faults.kill import JOBS, different, job
from dirconv import artifacts
from dirconv.errors import UserError

FAULTS = ("full", "limit", "read-only")
COUNT = 24
ROOM = "size=256m"


def run(options: argparse.Namespace) -> None:
    """Every stage with every fault, twice, with room for a random share of what is to be written."""
    os.environ["DIRCONV_CHECKPOINT_SECONDS"] = "0"

    def one(number: int, draw: random.Random) -> End:
        stage, fault = JOBS[number % len(JOBS)], FAULTS[number // len(JOBS) % len(FAULTS)]
        folder = options.work / "disk"
        folder.mkdir(parents=True, exist_ok=True)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", ROOM, "dirconv-faults", folder], check=False)
        if mounted.returncode and fault != "limit":
            raise SystemExit("disk: needs the right to mount a tmpfs")
        try:
            return tried(stage, fault, finished(options), folder, draw.random())
        finally:
            subprocess.run(["umount", folder], check=True)

    trials(options, "disk", COUNT, one)


def tried(stage: str, fault: str, whole: Path, folder: Path, share: float) -> End:
    """A stage's command with the fault, and again without."""
    call, like, names = job(stage, whole, folder)
    sizes = [(like / name).stat().st_size for name in names]
    room = int(share * (sum(sizes) if fault == "full" else max(sizes)))
    if fault == "full":
        remount(folder, f"size={max(room // 4096, 1) * 4096}")
    elif fault == "read-only":
        remount(folder, "ro")
    answer = said(limited(call, room) if fault == "limit" else call, folder)
    kind = f"{fault}: {stage}"
    if (outcome := answer.outcome(0, 2)) != GOOD:
        return End(kind, outcome, answer.error[-800:])
    if answer.code == 2 and not any(word in answer.error for word in ("space", "large", "ead-only", "writ")):
        return End(kind, "unnamed", answer.error[-300:])
    if (folder / "out" / artifacts.MANIFEST).exists() and stage != "figure":
        try:
            artifacts.read_manifest(folder / "out")
        except UserError as error:
            return End(kind, "lost", f"taken for whole: {error}")
    if half := [path.name for path in folder.rglob(".*")]:
        return End(kind, "lost", f"half-written: {half}")
    remount(folder, f"rw,{ROOM}")
    again = said(call, folder)
    if (outcome := again.outcome(0)) != GOOD:
        return End(kind, outcome, again.error[-800:])
    if wrong := different(folder / "out", like, names, *(() if stage == "figure" else (artifacts.MANIFEST,))):
        return End(kind, "lost", wrong)
    return End(kind, GOOD, answer.error.strip()[-200:] or "had room enough")


def remount(folder: Path, how: str) -> None:
    """Another size, or another right to write."""
    subprocess.run(["mount", "-o", f"remount,{how}", folder], check=True)


def limited(call: Callable[[], int], size: int) -> Callable[[], int]:
    """The call in a process whose files may not become larger than this, as under a quota."""

    def bounded() -> int:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        return call()

    return bounded
