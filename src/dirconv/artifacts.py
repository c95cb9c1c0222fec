"""Artifacts: tables (Parquet), tensors (safetensors), records (JSON): written atomically, checksummed, never pickled.

A folder of artifacts holds a ``manifest.json`` that names each file's SHA-256 and how it came about. It is
written last, so a folder with a manifest is whole. A single record (JSON) carries its own checksum.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import json
import math
import os
import secrets
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dirconv.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

MANIFEST = "manifest.json"
CHECKSUM = "checksum"  # key under which a record carries the SHA-256 of the rest of itself


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with _reading(path, "a readable file"), open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(value: Any) -> str:
    """SHA-256 of a JSON value in canonical form (sorted keys, no white space)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, moved onto it only if the block succeeds. The umask says who may read it."""
    path, temporary, remedy = Path(path), None, "make the folder writable or choose another"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for left in path.parent.glob(f".{glob.escape(path.name)}.{'[0-9a-f]' * 16}{glob.escape(path.suffix)}"):
            left.unlink(missing_ok=True)  # by a process that was killed
        name = path.parent / f".{path.name}.{secrets.token_hex(8)}{path.suffix}"
        os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        temporary, remedy = name, "free some space or choose another"
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); {remedy}") from error
    finally:
        if temporary:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _reading(path: Path, kind: str, *damages: type[Exception]) -> Iterator[None]:
    """A UserError for a file that is missing, cannot be read, or is not of its kind: reading it raises a damage."""
    if Path(path).is_dir():
        raise UserError(f"{path}: a folder; name a file")
    if Path(path).exists() and not Path(path).is_file():  # reading a pipe or a device may never end
        raise UserError(f"{path}: no regular file; name one")
    try:
        yield
    except FileNotFoundError as error:
        raise UserError(f"{path}: not found; run the rule that writes it first") from error
    except (OSError, *damages) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the system's: the content may be as it was
            raise UserError(f"{path}: cannot be read ({error.strerror}); name a file that can be") from error
        raise UserError(f"{path}: not {kind} (damaged, or another file?); restore it, or make it again") from error


def finite(value: Any) -> Any:
    """`value` with every float that JSON cannot hold (NaN, infinities) replaced by None, recursively."""
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if hasattr(value, "item"):  # NumPy scalars
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def write_text(path: Path, text: str) -> None:
    """Write `text` atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record with its own checksum; floats that JSON cannot hold become null."""
    write_text(path, as_text(record))


def as_text(record: Mapping[str, Any]) -> str:
    """A record as `write_json` writes it, byte for byte."""
    content = finite({key: value for key, value in record.items() if key != CHECKSUM})
    text = json.dumps({**content, CHECKSUM: digest(content)}, indent=2, ensure_ascii=False, allow_nan=False)
    return text + "\n"


def read_json(path: Path) -> dict[str, Any]:
    """Read a record and verify its checksum; the checksum is not part of what is returned."""
    with _reading(path, "a record of this project", ValueError, KeyError, AttributeError, TypeError):
        record = json.loads(Path(path).read_bytes())  # UTF-8, whatever the locale
        recorded = record.pop(CHECKSUM)
        actual = digest(record)
    if actual != recorded:
        raise UserError(f"{path}: content does not match its checksum; restore it, or delete it and run again")
    return record


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as Parquet (zstd)."""
    with atomic(path) as temporary:
        table.to_parquet(temporary, index=False, compression="zstd")


def read_table(path: Path) -> pd.DataFrame:
    """Read a Parquet table."""
    import pandas as pd

    with _reading(path, "a readable Parquet table", ValueError):
        return pd.read_parquet(path)


def read_tables(folder: Path, names: Iterable[str]) -> dict[str, pd.DataFrame]:
    """The named tables of a folder."""
    return {name: read_table(Path(folder) / f"{name}.parquet") for name in names}


def write_tensors(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Write NumPy arrays as safetensors."""
    import numpy as np
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    with atomic(path) as temporary:
        mode = temporary.stat().st_mode
        try:
            save_file({name: np.asarray(array, order="C") for name, array in tensors.items()}, temporary)
        except SafetensorError as error:  # the disk is full, say
            raise OSError(errno.EIO, str(error)) from error
        with contextlib.suppress(OSError):  # some file systems know no modes
            os.chmod(temporary, stat.S_IMODE(mode))  # safetensors writes a fresh file, readable by its owner only


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """Read NumPy arrays from safetensors."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    with _reading(path, "a readable safetensors file", SafetensorError):
        return load_file(path)


def write_manifest(folder: Path, files: list[str], record: Mapping[str, Any]) -> None:
    """Close a folder of artifacts: the checksums of its files, and `record`, which says how they came about."""
    write_json(Path(folder) / MANIFEST, {"files": {name: sha256(Path(folder) / name) for name in files}, **record})


def read_manifest(folder: Path, verify: bool = True) -> dict[str, Any]:
    """Read a folder's manifest and, with `verify`, check each of its files against its checksum."""
    manifest = read_json(Path(folder) / MANIFEST)
    if verify:
        remedy = f"restore it, or delete {folder} and run again"
        for name, recorded in manifest["files"].items():
            path = Path(folder) / name
            if not path.exists():
                raise UserError(f"{path}: named in {MANIFEST} but missing; {remedy}")
            if sha256(path) != recorded:
                raise UserError(f"{path}: does not match its checksum; {remedy}")
    return manifest
