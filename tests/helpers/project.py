"""A copy of the project in a temporary folder, so that tests may edit, touch and delete what they like."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
STUDY = "config/smoke.yaml"


class Project:
    """A checkout whose own `src` is what runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.results = folder / "results" / "smoke"
        self.figures = folder / "figures" / "smoke"

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """A command of the environment that runs the tests, in the copy, with the copy's `src` first."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        env = {**os.environ, "PATH": path, "PYTHONPATH": str(self.folder / "src"), **environment}
        return subprocess.run(words, cwd=self.folder, env=env, capture_output=True, text=True, check=False)

    def snakemake(self, *words: str, study: str | None = STUDY) -> subprocess.CompletedProcess[str]:
        """`snakemake --cores all …` on a study (None: the default)."""
        configfile = ["--configfile", study] if study else []
        return self.run("snakemake", "--cores", "all", *words, *configfile)

    def planned(self, *targets: str, study: str | None = STUDY) -> dict[str, int]:
        """How many jobs of each rule would run."""
        done = self.snakemake(*targets, "--dry-run", study=study)
        assert done.returncode == 0, done.stdout + done.stderr
        lines = (done.stdout + done.stderr).splitlines()
        if not any(line.startswith("Job stats") for line in lines):
            assert any("Nothing to be done" in line for line in lines), lines
            return {}
        start = next(i for i, line in enumerate(lines) if line.startswith("Job stats")) + 3
        jobs = {}
        for line in lines[start:]:
            if not line.strip():
                break
            rule, count = line.split()
            jobs[rule] = int(count)
        jobs.pop("total")
        return jobs


def copy(source: Path, target: Path) -> Project:
    """The project's own files, without results."""
    for name in ("Snakefile", "workflow", "profiles", "config", "src", "notebooks", "environment.yml"):
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source / name, target / name)
    shutil.copy(ROOT / "tests" / "workflow" / "smoke.yaml", target / STUDY)
    return Project(target)


def raise_version(path: Path) -> None:
    """Say that a module's numbers have moved."""
    text = path.read_text()
    assert "\nNUMERICS = 1\n" in text, path
    path.write_text(text.replace("\nNUMERICS = 1\n", "\nNUMERICS = 2\n"))
