"""Artifacts: nothing half-written, nothing changed unnoticed, everything back as it was."""

import ast
import errno
import json
import math
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dirconv import artifacts
from dirconv.errors import UserError

TABLE = pd.DataFrame(
    {
        "step": np.arange(5),
        "ln_risk": [-1e8, -0.1, 0.0, math.nan, math.inf],
        "small": np.linspace(0, 1, 5, dtype=np.float32),
        "below": [True, False, True, True, False],
        "layer": ["a", "ä", "τ", "", "b"],
    }
)
TENSORS = {
    "weights": np.random.default_rng(0).normal(size=(3, 4)),
    "single": np.arange(6, dtype=np.float32).reshape(2, 3)[:, ::-1],  # not contiguous
    "steps": np.array([0, 5, 2**62], dtype=np.int64),
    "bytes": np.frombuffer(b"{}\x00\xff", dtype=np.uint8),
    "empty": np.zeros((0, 3)),
    "special": np.array([math.nan, math.inf, -0.0, 5e-324]),
}
RECORD = {"run": "a", "τ": [1.5, {"deep": [1, 2**53, 1e-300]}], "none": None, "yes": True}


def one_line(caught):
    assert "\n" not in str(caught.value)
    return str(caught.value)


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_records_come_back(tmp_path):
    path = tmp_path / "a" / "record.json"
    artifacts.write_json(path, RECORD)
    assert artifacts.read_json(path) == RECORD
    assert files(tmp_path) == ["a", "a/record.json"]


def test_what_json_cannot_hold_becomes_null(tmp_path):
    path = tmp_path / "record.json"
    numbers = {"nan": math.nan, "deep": [math.inf, {"x": -math.inf}, (np.float64("nan"), np.float32(0.5))]}
    artifacts.write_json(path, {**numbers, "integer": np.int64(3), "flag": np.bool_(True)})
    assert artifacts.read_json(path) == {
        "nan": None,
        "deep": [None, {"x": None}, [None, 0.5]],
        "integer": 3,
        "flag": True,
    }

    def refuse(name):
        raise AssertionError(name)

    json.loads(path.read_text(), parse_constant=refuse)  # strict JSON


def test_finite_changes_nothing_else():
    assert artifacts.finite(RECORD) == RECORD
    assert artifacts.finite({1: (1, 2)}) == {"1": [1, 2]}


def test_a_records_own_checksum_is_not_taken_from_its_writer(tmp_path):
    path = tmp_path / "record.json"
    artifacts.write_json(path, {"a": 1, artifacts.CHECKSUM: "invented"})
    assert artifacts.read_json(path) == {"a": 1}


def test_writing_the_same_again_gives_the_same_bytes(tmp_path):
    for name in ("first", "second"):
        artifacts.write_json(tmp_path / f"{name}.json", RECORD)
        artifacts.write_table(tmp_path / f"{name}.parquet", TABLE)
        artifacts.write_tensors(tmp_path / f"{name}.safetensors", TENSORS)
    for suffix in ("json", "parquet", "safetensors"):
        first, second = (artifacts.sha256(tmp_path / f"{name}.{suffix}") for name in ("first", "second"))
        assert first == second


def test_the_digest_does_not_depend_on_the_order_of_keys():
    assert artifacts.digest({"a": 1, "b": [1, 2]}) == artifacts.digest({"b": [1, 2], "a": 1})
    assert artifacts.digest({"a": [1, 2]}) != artifacts.digest({"a": [2, 1]})


def test_sha256_is_that_of_the_bytes(tmp_path):
    path = tmp_path / "abc"
    path.write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert artifacts.sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_tables_come_back(tmp_path):
    path = tmp_path / "table.parquet"
    artifacts.write_table(path, TABLE)
    pd.testing.assert_frame_equal(artifacts.read_table(path), TABLE)


def test_tensors_come_back_bit_by_bit(tmp_path):
    path = tmp_path / "tensors.safetensors"
    artifacts.write_tensors(path, TENSORS)
    found = artifacts.read_tensors(path)
    assert set(found) == set(TENSORS)
    for name, array in TENSORS.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()


def test_a_tensor_without_dimensions_keeps_its_shape(tmp_path):
    artifacts.write_tensors(tmp_path / "a.safetensors", {"scalar": np.array(2.5)})
    assert artifacts.read_tensors(tmp_path / "a.safetensors")["scalar"].shape == ()


WRITERS = {
    "text": lambda path: artifacts.write_text(path, "content"),
    "json": lambda path: artifacts.write_json(path, RECORD),
    "table": lambda path: artifacts.write_table(path, TABLE),
    "tensors": lambda path: artifacts.write_tensors(path, TENSORS),
}


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
@pytest.mark.parametrize("kind", WRITERS)
def test_the_umask_says_who_may_read_what_is_written(tmp_path, kind, mask, mode):
    before = os.umask(mask)
    try:
        WRITERS[kind](tmp_path / "file")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


@pytest.mark.parametrize("kind", WRITERS)
def test_a_file_system_without_modes_is_written_to(tmp_path, kind, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(artifacts.os, "chmod", refuse)
    WRITERS[kind](tmp_path / "file")
    assert (tmp_path / "file").stat().st_size > 0


READERS = {
    "json": artifacts.read_json,
    "table": artifacts.read_table,
    "tensors": artifacts.read_tensors,
    "checksum": artifacts.sha256,
}


@pytest.mark.parametrize("kind", READERS)
def test_what_cannot_be_read_is_one_line_that_does_not_say_to_delete_it(tmp_path, kind):
    for path in (tmp_path, tmp_path / "file"):
        with pytest.raises(UserError) as caught:
            READERS[kind](path)
        assert one_line(caught).startswith(f"{path}: ") and "delete" not in str(caught.value)
    (tmp_path / "file").write_bytes("größer".encode("latin-1"))
    if kind != "checksum":
        with pytest.raises(UserError) as caught:
            READERS[kind](tmp_path / "file")
        assert "delete" not in one_line(caught)


def test_text_is_utf_8_whatever_the_locale(tmp_path):
    code = "import sys; from dirconv import artifacts as a; a.write_json(sys.argv[1], {'a': chr(0x2112)}); "
    code += "print(ascii(a.read_json(sys.argv[1])))"
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-X", "warn_default_encoding", "-W", "error::EncodingWarning:dirconv", "-c", code]
    run = subprocess.run([*command, str(tmp_path / "a")], env=environment, capture_output=True, text=True, check=False)
    assert run.stdout == "{'a': '\\u2112'}\n", run.stderr
    assert "ℒ" in (tmp_path / "a").read_text(encoding="utf-8")


def test_no_text_is_read_or_written_in_the_encoding_of_the_locale():
    """Calls of read_text, write_text and open name their encoding, or are binary."""
    for path in Path(artifacts.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(getattr(node, "func", None), "attr", getattr(getattr(node, "func", None), "id", ""))
            if name not in ("read_text", "write_text", "open") or ast.unparse(node.func) in ("os.open", "Image.open"):
                continue
            binary = any(isinstance(mode, ast.Constant) and "b" in str(mode.value) for mode in node.args[1:2])
            named = any(word.arg == "encoding" for word in node.keywords)
            ours = ast.unparse(node.func) in ("artifacts.write_text", "write_text", "archive.open")
            assert binary or named or ours, f"{path}: line {node.lineno}"


@pytest.mark.parametrize("exception", [RuntimeError, KeyboardInterrupt, UserError])
def test_a_failure_inside_the_block_leaves_the_old_file_and_nothing_else(tmp_path, exception):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(exception), artifacts.atomic(path) as temporary:
        assert temporary.parent == path.parent  # on the same file system, so that moving it is atomic
        temporary.write_text("half of the n")
        raise exception("stop")
    assert path.read_text() == "old"
    assert files(tmp_path) == ["file.txt"]


def test_the_old_file_is_there_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with artifacts.atomic(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert files(tmp_path) == ["file.txt"]


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path):
    with pytest.raises(UserError) as caught, artifacts.atomic(tmp_path / "file.txt") as temporary:
        temporary.write_text("some")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert one_line(caught).startswith(f"{tmp_path / 'file.txt'}: cannot be written (No space left on device)")
    assert files(tmp_path) == []


@pytest.mark.parametrize("kind", WRITERS)
def test_a_move_that_fails_is_one_line_and_leaves_nothing(tmp_path, kind):
    (tmp_path / "file").mkdir()  # a folder where the file should be
    with pytest.raises(UserError) as caught:
        WRITERS[kind](tmp_path / "file")
    assert one_line(caught).startswith(f"{tmp_path / 'file'}: cannot be written")
    assert files(tmp_path) == ["file"]


@pytest.mark.parametrize("kind", WRITERS)
def test_a_folder_that_cannot_be_made_is_one_line(tmp_path, kind):
    (tmp_path / "taken").write_text("a file where the folder should be")
    with pytest.raises(UserError) as caught:
        WRITERS[kind](tmp_path / "taken" / "file")
    assert one_line(caught).startswith(f"{tmp_path / 'taken' / 'file'}: cannot be written")
    assert files(tmp_path) == ["taken"]


@pytest.mark.parametrize("kind", WRITERS)
def test_a_folder_that_is_read_only_is_one_line(tmp_path, kind, monkeypatch):
    folder = tmp_path / "locked"
    folder.mkdir()
    if os.geteuid() == 0:  # who may write anywhere

        def refuse(*_, **__):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        monkeypatch.setattr(artifacts.os, "open", refuse)
    folder.chmod(0o500)
    try:
        with pytest.raises(UserError) as caught:
            WRITERS[kind](folder / "file")
    finally:
        folder.chmod(0o700)
    assert one_line(caught).startswith(f"{folder / 'file'}: cannot be written (Permission denied)")
    assert files(folder) == []


def test_a_table_that_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(Exception):  # noqa: B017 - which one is the library's affair
        artifacts.write_table(tmp_path / "table.parquet", pd.DataFrame({"a": [object(), 1]}))
    assert files(tmp_path) == []


def test_a_record_that_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(TypeError):
        artifacts.write_json(tmp_path / "record.json", {"a": object()})
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("old", "new"), [('"a"', '"b"'), ("1.5", "1.50001"), ("true", "false"), ("null", "NaN"), ('"run"', '"ran"')]
)
def test_a_record_that_was_changed_is_refused(tmp_path, old, new):
    path = tmp_path / "record.json"
    artifacts.write_json(path, RECORD)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(UserError) as caught:
        artifacts.read_json(path)
    assert one_line(caught).startswith(f"{path}: ")


def test_layout_and_order_of_a_record_do_not_count(tmp_path):
    path = tmp_path / "record.json"
    artifacts.write_json(path, RECORD)
    record = json.loads(path.read_text())
    path.write_text(json.dumps(dict(reversed(record.items()))))
    assert artifacts.read_json(path) == RECORD


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b"3", b'"a"', b"null", b"\xff\xfe", b'{"a": 1}', b'{"a": NaN, "checksum": "x"}']
)
def test_what_is_no_record_is_one_line(tmp_path, content):
    path = tmp_path / "record.json"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        artifacts.read_json(path)
    assert one_line(caught).startswith(f"{path}: ")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no table at all", b"\x00" * 64])
@pytest.mark.parametrize("read", [artifacts.read_table, artifacts.read_tensors])
def test_what_is_no_table_and_no_tensors_is_one_line(tmp_path, read, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read(path)
    assert one_line(caught).startswith(f"{path}: ")


@pytest.mark.parametrize("read", [artifacts.read_table, artifacts.read_tensors, artifacts.read_json])
def test_a_missing_file_is_one_line(tmp_path, read):
    with pytest.raises(UserError) as caught:
        read(tmp_path / "none")
    assert one_line(caught).startswith(f"{tmp_path / 'none'}: not found")


NAMES = ["table.parquet", "tensors.safetensors", "notes.txt"]


@pytest.fixture
def closed(tmp_path):
    """A folder of artifacts with its manifest."""
    artifacts.write_table(tmp_path / NAMES[0], TABLE)
    artifacts.write_tensors(tmp_path / NAMES[1], TENSORS)
    artifacts.write_text(tmp_path / NAMES[2], "text\n")
    artifacts.write_manifest(tmp_path, NAMES, {"code": "abc", "stop": "tau"})
    return tmp_path


def test_a_manifest_names_files_checksums_and_record(closed):
    manifest = artifacts.read_manifest(closed)
    assert manifest["files"] == {name: artifacts.sha256(closed / name) for name in NAMES}
    assert (manifest["code"], manifest["stop"]) == ("abc", "tau")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("where", [0, 0.5, 1])
def test_one_changed_bit_in_a_file_is_noticed(closed, name, where):
    content = bytearray((closed / name).read_bytes())
    content[round(where * (len(content) - 1))] ^= 1
    (closed / name).write_bytes(content)
    with pytest.raises(UserError) as caught:
        artifacts.read_manifest(closed)
    assert one_line(caught).startswith(f"{closed / name}: does not match its checksum")
    assert artifacts.read_manifest(closed, verify=False)["code"] == "abc"


@pytest.mark.parametrize("name", NAMES)
def test_a_truncated_file_is_noticed(closed, name):
    content = (closed / name).read_bytes()
    (closed / name).write_bytes(content[:-1])
    with pytest.raises(UserError, match="does not match its checksum"):
        artifacts.read_manifest(closed)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_gone_is_noticed(closed, name):
    (closed / name).unlink()
    with pytest.raises(UserError) as caught:
        artifacts.read_manifest(closed)
    assert one_line(caught).startswith(f"{closed / name}: named in manifest.json but missing")


def test_a_manifest_whose_checksums_were_edited_is_refused(closed):
    """Changing a file and its checksum in the manifest alike is noticed by the manifest's own."""
    path = closed / artifacts.MANIFEST
    before = artifacts.sha256(closed / NAMES[2])
    (closed / NAMES[2]).write_text("other\n")
    path.write_text(path.read_text().replace(before, artifacts.sha256(closed / NAMES[2])))
    with pytest.raises(UserError, match="does not match its checksum"):
        artifacts.read_manifest(closed, verify=False)


def test_a_manifest_is_not_written_for_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="not found"):
        artifacts.write_manifest(tmp_path, ["none.parquet"], {})
    assert files(tmp_path) == []
