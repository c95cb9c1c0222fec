"""What an audit answers for besides its verdicts: its pages, pictures and records, and whose measures it was made from.

An audit holds the SHA-256 of each of its `files`. Manifests among them hold those of the tables beside them.
"""

from __future__ import annotations

import contextlib
import csv
import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dirconv import artifacts
from dirconv.errors import UserError
from dirconv.stages import _output, figure

if TYPE_CHECKING:
    from dirconv.study.resolve import Study

RELATIVE = 1e-9  # to which a recomputed number must agree: another machine's libm may differ in the last digits
OF_PICTURES = 1e-6  # the same for a picture's table, which is written with eight digits
WORKING = ("data", "starts", "runs", "checkpoints", "logs", "specifications")  # folders that no audit answers for
BESIDE = ("audit.json", "check.json", "notebook.html")  # files made of the audit, and itself


def checksums(study: Study) -> dict[str, str]:
    """SHA-256 by path of every file that the study's audit answers for, itself left out."""
    return {path: artifacts.sha256(Path(path)) for path in _files(study)}


def _files(study: Study) -> list[str]:
    """The paths of those files."""
    pages = study.outputs("audit")[1:]
    verdicts = [path for name in study.claims for path in study.outputs("claim", name)]
    pictures = [path for name in study.figures for path in study.outputs("figure", name)]
    measures = [f"{study.results}/measures/{member}/{artifacts.MANIFEST}" for member in study.shown]
    return [*pages, *study.outputs("calibrate"), *verdicts, *pictures, *measures]


def differences(audit: dict[str, Any], study: Study, project: Path) -> Iterator[str]:
    """What differs between an audit and the files that it answers for, a line each.

    study: the audit's own, with its folders below `project`, where the audit's paths start.
    """
    recorded = {project / path: checksum for path, checksum in audit.get("files", {}).items()}
    expected = [Path(path) for path in _files(study)]
    if not recorded:
        yield f"files: the audit has no checksums of pages and figures; write it again from {audit['configuration']}"
    elif lacking := [path for path in expected if path not in recorded]:
        yield f"files: no checksum of {lacking[0]} and {len(lacking) - 1} others that {study.where} asks for"
    broken = [
        f"{path}: missing or not as it was audited"
        for path, checksum in recorded.items()
        if not path.is_file() or artifacts.sha256(path) != checksum
    ]
    broken += _broken(study)
    yield from broken
    yield from _strangers(study)
    if not broken:
        yield from _exchanged(study)
        yield from _drawn_otherwise(study)


def _broken(study: Study) -> Iterator[str]:
    """Folders of measures whose files are not those of their manifest."""
    for manifest in sorted(Path(study.results, "measures").rglob(artifacts.MANIFEST)):
        try:
            artifacts.read_manifest(manifest.parent)
        except UserError as error:
            yield str(error)


def _strangers(study: Study) -> Iterator[str]:
    """Files among the study's that none of its stages wrote."""
    results = Path(study.results)
    known = {Path(path) for path in _files(study)} | {results / name for name in BESIDE}
    for manifest in results.glob(f"measures/**/{artifacts.MANIFEST}"):
        with contextlib.suppress(UserError):  # one that is broken is named already
            known |= {
                manifest.parent / name for name in artifacts.read_manifest(manifest.parent, verify=False)["files"]
            }
        known.add(manifest)
    for folder in (results, Path(study.figures_folder)):
        for path in sorted(folder.rglob("*")):
            working = folder == results and path.relative_to(results).parts[0] in WORKING
            if path not in known and not working and (path.is_symlink() or not path.is_dir()):
                yield f"{path}: no file of this study; take it away"


def _exchanged(study: Study) -> Iterator[str]:
    """Measures of another run than the one whose place they have."""
    seen: dict[str, tuple[str, dict[str, Any]]] = {}  # a path's checksum: where it was first, and what was run
    for member in study.shown:
        folder = Path(study.results, "measures", member)
        if not (folder / artifacts.MANIFEST).exists():  # named already
            continue
        record = artifacts.read_manifest(folder, verify=False)
        if not study.asks_for(member, record["specification"]):
            yield f"{folder}: of another run, or made with other options than {study.where} has now"
        if "summary" in record and not close(record["summary"], _summary(folder)):
            yield f"{folder}: the summary in {artifacts.MANIFEST} is not that of path.parquet"
        options = {**record["specification"], "run": None}
        if checksum := record["files"].get("path.parquet"):
            other, theirs = seen.setdefault(checksum, (member, options))
            if theirs != options:
                yield f"{folder}: path.parquet is that of {other}"


def _summary(folder: Path) -> dict[str, Any]:
    return artifacts.finite(_output.summary(artifacts.read_table(folder / "path.parquet")))


def _drawn_otherwise(study: Study) -> Iterator[str]:
    """Figures whose table is not the one that their measures give."""
    for name, members in study.figures.items():
        path = next(Path(path) for path in study.outputs("figure", name) if path.endswith(".csv"))
        picture, table = figure.drawn(name, Path(study.results, "measures"), members)
        picture.clear()
        if path.is_file() and not _same_cells(path.read_bytes().decode(errors="replace"), figure.as_text(table)):
            yield f"{path}: not the table that {name} is drawn from today"


def _same_cells(text: str, other: str) -> bool:
    """Whether two CSV texts hold the same cells, numbers up to `OF_PICTURES`."""
    ours, theirs = ([cell for row in csv.reader(io.StringIO(given)) for cell in row] for given in (text, other))
    if len(ours) != len(theirs):
        return False
    return all(a == b or _same_number(a, b) for a, b in zip(ours, theirs, strict=True))


def _same_number(first: str, second: str) -> bool:
    try:
        return math.isclose(float(first), float(second), rel_tol=OF_PICTURES, abs_tol=1e-12)
    except ValueError:
        return False


def close(first: Any, second: Any) -> bool:
    """Whether two JSON values are the same, numbers up to `RELATIVE`."""
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(close(value, second[key]) for key, value in first.items())
    if isinstance(first, float | int) and isinstance(second, float | int):
        return math.isclose(first, second, rel_tol=RELATIVE, abs_tol=1e-12)
    return first == second
