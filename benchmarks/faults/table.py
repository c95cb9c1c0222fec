"""The table of docs/trust.md, from the record."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.faults.common import BAD, ROOT

PLAIN = {"forgery": "forged by hand, most made good", "numbers": "a study of eight images"}  # kinds without a colon
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
    """The table, a row a kind of fault, and what it was made with."""
    lines = [f"| part | fault | trials | {' | '.join(BAD)} |", f"|{' --- |' * (3 + len(BAD))}"]
    for part, found in record.items():
        for kind, counts in merged(part, found["kinds"]).items():
            lines.append(f"| {part} | {kind} | {counts['trials']} | {' | '.join(str(counts[key]) for key in BAD)} |")
    made_by = [
        f"`{part}`: {found['trials']} of {found['asked']} trials, seed {found['seed']}, {found['created'][:10]}, "
        f"{found['machine']['processor']}, {found['machine']['cores']} cores, "
        f"commit {', '.join(name[:7] + '+' * name.endswith('+') for name in found['commits'])}"
        for part, found in record.items()
    ]
    return "\n".join([*lines, "", f"{'; '.join(made_by)}."])


def merged(part: str, kinds: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """Counts with one row for all commands, and for all kinds that say the same before a colon."""
    rows: dict[str, dict[str, int]] = {}
    for kind, counts in kinds.items():
        key = kind.partition(":")[0] if ":" in kind else PLAIN.get(part, kind)
        key = "command line" if key.startswith("command ") else key
        row = rows.setdefault(key, dict.fromkeys(counts, 0))
        rows[key] = {name: row[name] + count for name, count in counts.items()}
    return rows
