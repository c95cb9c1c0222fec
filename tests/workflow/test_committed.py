"""The committed studies: every checksum and verdict is as audited, and nothing in them is an image."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pandas as pd
import pytest
from project import ROOT

from dirconv.stages import audit


def committed() -> list[str]:
    """What git knows below results/; all that lies there where it cannot be asked: a zip, another user's clone."""
    try:
        listing = subprocess.run(["git", "ls-files", "results"], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return [path.relative_to(ROOT).as_posix() for path in sorted(ROOT.glob("results/*/**/*")) if path.is_file()]
    return listing.stdout.splitlines()


LISTED = committed()
AUDITS = [name for name in LISTED if Path(name).name == "audit.json"]


@pytest.mark.parametrize("name", AUDITS)
def test_a_committed_audit_checks(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert audit.check(ROOT / name) == []


def test_measures_hold_no_images():
    """Of a study on images of others: maps of gradients may be passed on, the images may not."""
    tables = [name for name in LISTED if name.endswith(".parquet")]
    assert tables
    for name in tables:
        assert "image" not in pd.read_parquet(ROOT / name).columns, name


def test_what_is_committed_of_a_study_stays_small():
    for study in {name.split("/")[1] for name in LISTED}:
        sizes = [(ROOT / name).stat().st_size for name in LISTED if name.startswith(f"results/{study}/measures/")]
        assert sum(sizes) <= 20e6, study
