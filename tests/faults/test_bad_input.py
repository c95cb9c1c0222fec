"""Nonsense in files and arguments: one line, and neither a traceback nor a process that fills memory or never ends.

Two thousand cases: `python -m benchmarks.faults input`.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from dirconv import artifacts, cli
from dirconv.errors import UserError
from dirconv.options import load_yaml
from dirconv.study import validate

ROOT = Path(__file__).parents[2]
LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40))
YAML = {
    "aliases that stand for 2⁴⁰ values": (LAUGHS, "more than 100000 values"),
    "an alias of what it stands in": ("a: &a [*a]", "more than 100000 values"),
    "brackets that libyaml follows until the process ends": ("[" * 50_000, "line 1: nested more than 50 deep"),
    "sequences that Python follows until it gives up": ("a:\n" + " - " * 2000 + "x", "line 2: nested more than 50"),
    "a number that cannot be written": ("a: 0x" + "f" * 9000, "a whole number of more than 64 bits"),
    "a file without end": ("x" * (2**23 + 1), "larger than 8 MiB"),
}


@pytest.mark.parametrize("name", YAML)
def test_yaml_that_would_fill_memory_or_end_the_process_is_refused(tmp_path, name):
    text, said = YAML[name]
    path = tmp_path / "study.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load_yaml(path)
    assert str(caught.value).startswith(f"{path}: {said}")


def one_line(capsys, *words: str) -> str:
    assert cli.main(list(words)) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


NETWORK = {
    "run": "a",
    "seed": 0,
    "model": {"name": "alexnet"},
    "degree": 6,
    "outputs": 1,
    "scale": 1.0,
    "precision": "float32",
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": {"name": "alexnett"}}, "--spec.model.name: unknown 'alexnett'; did you mean 'alexnet'?"),
        ({"model": {"name": "alexnet", "width": "wide"}}, "--spec.model.width: "),
        ({"model": 3}, "--spec.model: "),
        ({"seed": -1}, "--spec.seed: must be from 0"),
        ({"degree": 0}, "--spec.degree: must be above zero"),
        ({"scale": None}, "--spec.scale: "),
        ({"outputs": 0}, "--spec.outputs: must be above zero"),
    ],
)
def test_a_specification_is_validated_before_a_job_begins(tmp_path, capsys, change, said):
    spec = json.dumps({**NETWORK, **change})
    assert said in one_line(capsys, "homogeneity", "--spec", spec, "--out", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("stage", ["homogeneity", "problem"])
def test_an_empty_specification_names_what_is_missing(tmp_path, capsys, stage):
    assert "missing; add it" in one_line(capsys, stage, "--spec", "{}", "--out", str(tmp_path / "out"))
    for text in ("{", "[1]", "nowhere.json", '{"a": ' * 5000):
        assert "--spec: neither JSON" in one_line(capsys, stage, "--spec", text, "--out", str(tmp_path / "out"))


def test_a_device_is_not_read_as_a_file(capsys):
    assert "/dev/zero: no regular file" in one_line(capsys, "check", "--audit", "/dev/zero")
    assert "/dev/zero: larger than 8 MiB" in one_line(capsys, "audit", "--study", "/dev/zero")


def test_a_log_on_a_full_disk_is_one_line(monkeypatch, capsys):
    def full(path):
        with open("/dev/full", "w") as file:
            file.write("x" * 100_000)

    monkeypatch.setattr(artifacts, "read_json", full)
    assert "No space left on device; free some space" in one_line(capsys, "check", "--audit", "a.json")


def test_what_a_killed_process_left_goes_when_its_file_is_written_again(tmp_path):
    left = tmp_path / f".a.json.{'0123456789abcdef'}.json"
    others = [tmp_path / ".b.json.0123456789abcdef.json", tmp_path / ".a.json.json", tmp_path / ".gitkeep"]
    for path in (left, *others):
        path.write_text("{", encoding="utf-8")
    artifacts.write_json(tmp_path / "a.json", {})
    assert sorted(tmp_path.iterdir()) == sorted([*others, tmp_path / "a.json"])


def test_tensors_for_which_there_is_no_room_are_one_line_and_leave_nothing(tmp_path):
    """A limit on a file's size: in a child, for it cannot be raised again."""
    import numpy as np

    child = os.fork()
    if child == 0:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            artifacts.write_tensors(tmp_path / "a.safetensors", {"a": np.zeros(10_000)})
        except UserError as error:
            os._exit(0 if "cannot be written" in str(error) and not list(tmp_path.iterdir()) else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_nonsense_in_a_study_is_a_line_or_a_study(tmp_path):
    hypothesis = pytest.importorskip("hypothesis", reason="hypothesis is not installed")
    from benchmarks.faults.surfaces import BASE, texts

    (tmp_path / "config").mkdir()
    shutil.copy(ROOT / "config" / "claims.yaml", tmp_path / "config")
    path, overrides = tmp_path / "study.yaml", {"registry": str(tmp_path / "config" / "claims.yaml")}

    @hypothesis.settings(max_examples=60, deadline=None, derandomize=True, database=None)
    @hypothesis.given(texts(BASE))
    def every(content: bytes) -> None:
        path.write_bytes(content)
        try:
            validate.load(path, overrides)
        except UserError as error:
            assert "\n" not in str(error)

    every()
