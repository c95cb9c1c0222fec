"""The copies that tests work on: nothing has run, or the smallest study to its end."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

import pytest
from project import ROOT, Project, copy


@pytest.fixture
def fresh(tmp_path: Path) -> Project:
    """A copy in which nothing has run."""
    return copy(ROOT, tmp_path)


@pytest.fixture(scope="session")
def done(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy in which the smallest study has run from nothing to the end. Tests must leave it as they found it.

    Made once for all processes that run tests: the others wait.
    """
    here = tmp_path_factory.getbasetemp()
    shared = here.parent if "PYTEST_XDIST_WORKER" in os.environ else here
    folder, whole = shared / "done", shared / "done-is-whole"
    with open(shared / "done-lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not whole.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            run = copy(ROOT, folder).snakemake()
            assert run.returncode == 0, run.stdout + run.stderr
            whole.touch()
    return Project(folder)


@pytest.fixture
def finished(done: Project, tmp_path: Path) -> Project:
    """A copy of the finished study, Snakemake's own records included, that a test may change."""
    shutil.copytree(done.folder, tmp_path, dirs_exist_ok=True)
    return Project(tmp_path)
