"""The table of docs/trust.md, from the record."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.faults.common import BAD, ROOT

RECORD = ROOT / "benchmarks" / "faults.json"
PAGE = ROOT / "docs" / "trust.md"
BEGIN, END = (f"<!-- benchmarks.faults table: {word} -->" for word in ("begin", "end"))


def write() -> None:
    """Put the table between its marks."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    text = f"{before}{BEGIN}\n\n{made(json.loads(RECORD.read_text(encoding='utf-8')))}\n\n{END}{after}"
    PAGE.write_text(text, encoding="utf-8")


def made(record: dict[str, Any]) -> str:
    """The table, and what it was made with."""
    lines = [f"| part | fault | trials | {' | '.join(BAD)} |", f"|{' --- |' * (3 + len(BAD))}"]
    for part, found in record.items():
        for kind, counts in found["kinds"].items():
            lines.append(f"| {part} | {kind} | {counts['trials']} | {' | '.join(str(counts[key]) for key in BAD)} |")
    made_by = [
        f"`{part}`: {found['created'][:10]}, {found['machine']['processor']}, {found['machine']['cores']} cores, "
        f"commit {', '.join(name[:7] + '+' * name.endswith('+') for name in found['commits'])}"
        for part, found in record.items()
    ]
    return "\n".join([*lines, "", f"Seed 0, `python -m benchmarks.faults`. {'; '.join(made_by)}."])
