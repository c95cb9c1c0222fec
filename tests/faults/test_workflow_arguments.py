"""`dirconv workflow`: what Snakemake would answer with a traceback is one line; all else goes to Snakemake as it is."""

import os
from pathlib import Path

import pytest

from dirconv import cli
from dirconv.stages import workflow

STUDY = str(Path(__file__).parents[1] / "workflow" / "smoke.yaml")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--configfile", "none.yaml"], "--configfile: none.yaml is no file; name an existing study file"),
        (["--configfile=none.yaml", "-n"], "--configfile: none.yaml is no file"),
        (["--configfile", STUDY, "figures"], "--configfile: figures is no file; give targets before --configfile"),
        (["--configfiles", STUDY, "--cores", "1", "--configfile", "x"], "--configfile: x is no file"),
        (["--configfile", "."], "--configfile: . is no file"),
    ],
)
def test_what_is_wrong_with_study_files_is_one_line(monkeypatch, capsys, words, said):
    monkeypatch.setattr(workflow.os, "execvp", lambda *_: pytest.fail("started"))
    assert cli.main(["workflow", *words]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith(f"dirconv: error: {said}")


def test_a_user_without_a_home_is_told_to_set_one(monkeypatch, capsys):
    def nobody(_):
        raise KeyError("uid not found")

    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", nobody)
    assert cli.main(["workflow", "--configfile", STUDY]) == 2
    assert capsys.readouterr().err.startswith("dirconv: error: HOME: not set")


def test_all_arguments_go_to_snakemake(monkeypatch):
    started = []
    monkeypatch.setattr(workflow.os, "execvp", lambda name, words: started.append(words))
    words = ["figures", "--cores", "all", "--configfile", STUDY, "--config", "device=cpu"]
    cli.main(["workflow", *words])
    assert started == [["snakemake", *words]]


def test_snakemake_that_is_not_there_is_one_line(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    assert cli.main(["workflow", "--cores", "1"]) == 2
    assert "snakemake: cannot be started" in capsys.readouterr().err
