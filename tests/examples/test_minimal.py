"""`examples/minimal.py` stays one short file that runs anywhere, and shows what the theorems say."""

import ast
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "minimal.py"


@pytest.fixture(scope="module")
def example_run(tmp_path_factory):
    """The printed table to τ = 6, (τ, ln 1/ℒ, cos, ζ, min p(θ), ã) a row, the last line, and the figure's path."""
    figure = tmp_path_factory.mktemp("minimal") / "minimal.png"
    environment = {**os.environ, "MPLBACKEND": "agg", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, EXAMPLE, "--tau", "6", "--step", "0.05", "--out", figure]
    run = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", timeout=300)
    assert run.returncode == 0, run.stderr
    _, *table, last = run.stdout.splitlines()
    return [[float(value) for value in row.split()] for row in table], last, figure


def test_the_figure_is_written(example_run):
    figure = example_run[2]
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert figure.stat().st_size > 10_000


def test_the_gradient_aligns_with_the_weights(example_run):
    table = example_run[0]
    tau, ln_inverse_risk, cos = table[-1][:3]
    assert tau == 6.0
    assert ln_inverse_risk > 1e8
    assert cos > 0.999
    assert cos > table[0][2]


def test_the_path_length_levels_off(example_run):
    zeta = [row[3] for row in example_run[0]]
    assert 0 < zeta[-1] - zeta[-2] < (zeta[1] - zeta[0]) / 4


def test_the_smoothed_margin_never_falls_and_stays_below_the_normalized_margin(example_run):
    table, last, _ = example_run
    smallest_change = float(last.rsplit(":", 1)[1].rstrip(")."))
    assert smallest_change > -1e-12
    assert all(after[5] >= before[5] for before, after in pairwise(table))
    assert all(smoothed <= margin for *_, margin, smoothed in table)


def test_it_is_one_file_of_at_most_150_lines_that_needs_only_torch_and_matplotlib():
    source = EXAMPLE.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 150
    imported = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add(node.module.split(".")[0])
    assert imported - sys.stdlib_module_names == {"torch", "matplotlib"}
