"""What docs/extending.md adds to the project works: its files in a copy, and its commands."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pandas as pd
import pytest
from project import ROOT, copy

TEXT = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"```\w+\n# (\S+?)(?:, at its end)?\n(.*?)```", TEXT, re.DOTALL))
COMMANDS = re.findall(r"^    uv run (.+)$", TEXT, re.MULTILINE)


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    """The copy of the project after the page's commands."""
    project = copy(ROOT, tmp_path_factory.mktemp("extended"))
    for name, text in FILES.items():
        path = project.folder / name
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        path.write_text(before + "\n" + text if before else text, encoding="utf-8")
    for command in COMMANDS:
        done = project.run(*shlex.split(command))
        assert done.returncode == 0, done.stdout + done.stderr
    return project.folder


def test_the_page_adds_one_of_each():
    folders = {str(Path(name).parent) for name in FILES}
    assert folders == {"src/dirconv/data", "src/dirconv/models", "src/dirconv/figures", "config"}
    assert len(COMMANDS) == 2


def test_the_claim_is_supported_and_its_figure_drawn(extended):
    verdict = json.loads((extended / "results/stripes/claims/squares_homogeneous.json").read_text())
    assert verdict["verdict"] == "supported" and verdict["statistic"]["value"] < 1e-12
    assert (extended / "figures/stripes/deviations.png").read_bytes().startswith(b"\x89PNG")
    drawn = pd.read_csv(extended / "figures/stripes/deviations.csv")
    assert set(drawn["run"]) == {"squares"}
    assert drawn["deviation"].max() == pytest.approx(verdict["statistic"]["value"], rel=1e-6)


def test_the_split_is_balanced(extended):
    manifest = json.loads((extended / "results/stripes/data/stripes/manifest.json").read_text())
    assert manifest["counts"]["train"] == {"horizontal": 20, "vertical": 20}
