"""A job's checkpoint: in shards, whole or absent, and of the right shapes."""

import contextlib
import errno
import json
import math
import os

import numpy as np
import pandas as pd
import pytest

from dirconv import artifacts, numerics
from dirconv.errors import Unfinished, UserError
from dirconv.stages import _job, _lock, data, flow, homogeneity, train
from dirconv.study import validate


@pytest.fixture
def checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(numerics, "of_stage", lambda stage, spec: {"flow": 1})
    found = _job.Checkpoint(tmp_path, "flow", {"run": "alexnet"})
    found.folder.mkdir(parents=True)
    return found


def tensors(seed=0):
    random = np.random.default_rng(seed)
    return {
        "weights": random.normal(size=5_000),
        "points": random.normal(size=(3, 1_000)),
        "radius": np.array(2.5),
        "none": np.zeros((0, 4)),
        "random": random.integers(0, 255, 5_056).astype(np.uint8),
    }


def same(found, expected):
    assert set(found) == set(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("shard", [512, 9_000, 40_000, 2**20])
def test_what_is_saved_comes_back_from_shards_of_at_most_that_size(checkpoint, monkeypatch, shard):
    monkeypatch.setattr(_job, "SHARD", shard)
    for turn in range(3):
        checkpoint.save(tensors(turn), {"rows": [{"error": math.nan, "step": turn}]})
        found, record = checkpoint.load()
        same(found, tensors(turn))
        assert math.isnan(record["rows"][0]["error"]) and record["rows"][0]["step"] == turn
        files = sorted(checkpoint.folder.glob("*.safetensors"))
        named = json.loads((checkpoint.folder / "state.json").read_text())["shards"]
        assert [file.name for file in files] == sorted(named)  # the last state's are gone
        assert max(file.stat().st_size for file in files) <= shard + 1000  # and a header
        assert (len(files) > 1) == (shard < 2**20)
    checkpoint.keep(3, {"weights": tensors()["weights"]})
    same(checkpoint.kept(3), {"weights": tensors()["weights"]})


def test_a_kill_between_shards_and_record_leaves_the_last_state(checkpoint, monkeypatch):
    checkpoint.save(tensors(1), {"step": 1})
    monkeypatch.setattr(_job.artifacts, "write_json", lambda *_: pytest.fail("killed"))
    with pytest.raises(pytest.fail.Exception):
        checkpoint.save(tensors(2), {"step": 2})
    found, record = checkpoint.load()
    same(found, tensors(1))
    assert record == {"step": 1}
    monkeypatch.undo()
    (checkpoint.folder / "b-state-7.safetensors").write_bytes(b"of a save that was killed")
    (checkpoint.folder / "a-state-9.safetensors").write_bytes(b"of another")
    checkpoint.save(tensors(3), {"step": 3})
    assert {path.name for path in checkpoint.folder.glob("*.safetensors")} == {"b-state-0.safetensors"}


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"no tensors")])
def test_a_damaged_state_counts_as_none_and_a_damaged_snapshot_is_refused(checkpoint, damage):
    checkpoint.save(tensors(), {})
    checkpoint.keep(0, tensors())
    for path in checkpoint.folder.glob("*.safetensors"):
        damage(path)
    assert checkpoint.load() is None
    with pytest.raises(UserError, match="missing or damaged"):
        checkpoint.kept(0)
    checkpoint.save(tensors(5), {"step": 5})
    assert checkpoint.load()[1] == {"step": 5}


def test_a_flow_goes_on_from_between_epochs_that_were_given_up(tmp_path, monkeypatch):
    """A rate so high that SGD first fails many times over: in pieces of an epoch each, it ends with the same table."""
    monkeypatch.setenv("DIRCONV_CHECKPOINT_SECONDS", "0")
    digits = {"source": "digits", "train": 20, "test": 10, "classes": {"negative": [0], "positive": [1]}}
    run = {
        "data": "digits",
        "model": {"name": "alexnet", "width": 0.125},
        "train": {"learning_rate": 0.01, "epochs": 1},
        "flow": {"method": "sgd", "rate": 1.0, "batch": 10},
        "stop": {"steps": 2},
    }
    study = validate.validated(
        {"study": "s", "registry": "config/claims.yaml", "data": {"digits": digits}, "runs": {"alexnet": run}}, "study"
    )
    spec, split, start = study.specifications.flow("alexnet", 0), tmp_path / "split", tmp_path / "start"
    data.run(study.specifications.data("digits"), split, "digits")
    homogeneity.run(study.specifications.network("alexnet", 0), tmp_path / "check")
    places = tmp_path / "checkpoints", tmp_path / "log"
    train.run(study.specifications.train("alexnet", 0), split, tmp_path / "check", start, *places)
    flow.run(spec, split, start, tmp_path / "whole", *places)
    pieces = 1
    while not (tmp_path / "pieces").exists():
        with contextlib.suppress(Unfinished):
            flow.run(spec, split, start, tmp_path / "pieces", *places, seconds=0)
        pieces += 1
    whole, found = (artifacts.read_table(tmp_path / name / "steps.parquet") for name in ("whole", "pieces"))
    pd.testing.assert_frame_equal(found, whole, check_exact=True)
    assert whole["rejected"].sum() > 3 and pieces > whole["rejected"].sum()


def test_there_is_none_at_first(checkpoint):
    assert checkpoint.load() is None


def test_the_time_is_up_when_it_is_and_a_checkpoint_is_then_due(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(_job.time, "monotonic", lambda: now[0])
    forever, timed = _job.Timer(), _job.Timer(seconds=40)
    now[0] += 31
    assert timed.due() and not timed.up() and forever.due()
    now[0] += 10
    assert timed.up() and timed.due() and not forever.up() and not forever.due()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_locks_is_said_in_one_line_and_used(checkpoint, monkeypatch, capsys, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(_lock.fcntl, "flock", refuse)
    with checkpoint.locked():
        assert checkpoint.folder.is_dir()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and str(checkpoint.folder) in lines[0] and "has no locks" in lines[0]
