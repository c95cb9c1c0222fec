"""How a result came about: the versions of its code, of the packages, and the machine it ran on.

Only `numerics` (see `dirconv.numerics`) is ever compared; all else is for information.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dirconv

PACKAGES = ("torch", "torchvision", "numpy", "pandas", "pyarrow", "scipy", "scikit-learn", "snakemake")


def made_by(numerics: Mapping[str, int], device: str = "cpu", threads: int = 1) -> dict[str, Any]:
    """What a manifest says of how its files came about.

    numerics: versions of all parts that the files went through, those of their inputs included. device: in words.
    """
    return {
        "numerics": dict(numerics),
        "commit": commit(),
        "versions": versions(),
        "machine": {**machine(device), "threads": threads},
        "created": now(),
    }


def machine(device: str = "cpu") -> dict[str, Any]:
    """The machine in words: processor, its vector instructions as torch uses them, cores, system, Python, device.

    cpu_capability: "AVX512", "AVX2", "DEFAULT", …; None in a process that has not needed torch.
    """
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    torch = sys.modules.get("torch")
    return {
        "processor": _processor(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability() if torch else None,
        "cores": len(affinity(0)) if affinity else os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "device": device,
    }


def versions() -> dict[str, str]:
    """Versions of this package and of those that can move a number; absent packages are left out."""
    return {"dirconv": dirconv.__version__, **_installed()}


@functools.cache
def _installed() -> dict[str, str]:
    installed: dict[str, str] = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            installed[package] = importlib.metadata.version(package)
    return installed


@functools.cache
def commit() -> str | None:
    """The git commit of the checkout that the package runs from, with "+" after it if files have changed; or None."""
    folder = Path(__file__).parent
    if not (folder.parents[1] / ".git").exists():  # installed, or a copy without history
        return None
    try:
        head, changes = (
            subprocess.run(["git", *words], cwd=folder, capture_output=True, check=True, timeout=10).stdout.decode()
            for words in (("rev-parse", "HEAD"), ("status", "--porcelain", "--untracked-files=no", "--", "."))
        )
    except (OSError, ValueError, subprocess.SubprocessError):  # no git, or it does not trust the checkout
        return None
    return head.strip() + ("+" if changes.strip() else "")


def _processor() -> str:
    """The processor's name, as the system gives it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def now() -> str:
    """The time, UTC, to the second, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")
