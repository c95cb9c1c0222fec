"""What the Snakemake workflow catalogue asks of a repository."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]


def test_the_catalogue_is_told_how_the_workflow_is_used():
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text(encoding="utf-8"))["usage"]
    assert usage.keys() == {"mandatory-flags", "software-stack-deployment", "report"}
    assert usage["mandatory-flags"].keys() == {"desc", "flags"}
    rules = [path.read_text(encoding="utf-8") for path in (ROOT / "workflow" / "rules").glob("*.smk")]
    assert usage["software-stack-deployment"]["conda"] == any("conda:" in text for text in rules)
    assert usage["report"] == any("report(" in text for text in rules)
    assert (ROOT / "workflow" / "Snakefile").is_file()


@pytest.mark.skipif(shutil.which("snakefmt") is None, reason="snakefmt is not installed: uvx snakefmt --check")
def test_the_workflow_is_formatted():
    command = ["snakefmt", "--check", "Snakefile", "workflow"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
