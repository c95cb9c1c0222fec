"""The recorded numbers: reading, writing, comparing."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

from case import Case, Numbers

from dirconv import numerics

FOLDER = Path(__file__).parent / "numbers"
CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"


def path(name: str) -> Path:
    """Where a case's numbers lie."""
    return FOLDER / f"{name}.json"


def read(name: str) -> dict[str, Any] | None:
    """A case's record, None where it has none."""
    return json.loads(path(name).read_text()) if path(name).exists() else None


def versions(case: Case) -> dict[str, int]:
    """Today's version of each part that the case goes through: those it names, and all that these go through."""
    return numerics.through(*case.parts)


def write(case: Case, numbers: Numbers) -> None:
    """Record a case."""
    record = {
        "case": case.name,
        "parts": versions(case),
        "relative": case.relative,
        "absolute": case.absolute,
        "numbers": {label: _plain(value) for label, value in numbers.items()},
    }
    lines = [f"    {json.dumps(k, ensure_ascii=False)}: {json.dumps(v)}" for k, v in record["numbers"].items()]
    head = json.dumps({**record, "numbers": "…"}, indent=2, ensure_ascii=False)
    FOLDER.mkdir(exist_ok=True)
    path(case.name).write_text(head.replace('"…"', "{\n" + ",\n".join(lines) + "\n  }") + "\n")


def moved(case: Case, before: dict[str, Any], numbers: Numbers) -> list[str]:
    """A line for each recorded label whose numbers are not those recorded."""
    lines = []
    for label, old in before["numbers"].items():
        if label not in numbers:
            lines.append(f"{label}: recorded, but no longer there")
        elif difference := _difference(case, old, _plain(numbers[label])):
            lines.append(f"{label}: {difference}")
    return lines


def new(before: dict[str, Any], numbers: Numbers) -> list[str]:
    """A line for each label that has not been recorded."""
    return [f"{label}: not recorded" for label in numbers if label not in before["numbers"]]


def unlogged(part: str, version: int) -> list[int]:
    """The versions of a part, from the second on, that no line of the changelog names."""
    named = re.findall(r"NUMERICS\s+([\w.]+)\s+(\d+)", CHANGELOG.read_text())
    return [n for n in range(2, version + 1) if (part, str(n)) not in named]


def _plain(value: Any) -> Any:
    """As JSON holds it: what is no number as text."""
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, str):
        return str(value)
    value = float(value)
    return value if math.isfinite(value) else str(value)


def _difference(case: Case, old: Any, new: Any) -> str:
    """How much two values differ, or '' if they agree."""
    if not isinstance(old, list) and not isinstance(new, list):
        old, new = [old], [new]
    if not (isinstance(old, list) and isinstance(new, list)) or len(old) != len(new):
        return f"was {_short(old)}, is {_short(new)}"
    scale = max((abs(value) for value in old if not isinstance(value, str)), default=0.0)
    allowed = case.absolute + case.relative * scale
    worst, where = 0.0, None
    for i, (a, b) in enumerate(zip(old, new, strict=True)):
        if isinstance(a, str) or isinstance(b, str):
            if a != b:
                return f"was {a}, is {b}" + (f" (entry {i})" if len(old) > 1 else "")
        elif abs(a - b) > max(worst, allowed):
            worst, where = abs(a - b), i
    if where is None:
        return ""
    entry = f" (entry {where})" if len(old) > 1 else ""
    return f"was {old[where]:.12g}, is {new[where]:.12g}{entry}: moved by {worst:.2g}, {allowed:.1g} is allowed"


def _short(values: list) -> str:
    return f"{len(values)} numbers" if isinstance(values, list) and len(values) > 1 else str(values)
