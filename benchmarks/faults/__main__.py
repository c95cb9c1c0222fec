"""What happens when things go wrong: each part plants faults of a kind and counts what was not said or not kept.

    nice -n 10 uv run python -m benchmarks.faults [PART …] [--seed 0] [--work PATH]

    forgery   files of a finished study altered: does `audit --check` name them?
    kill      jobs killed at random moments: do they go on, to the same bits?
    disk      no room, no permission, a limit reached while writing: a clear line, nothing half-written?
    input     nonsense as configuration, registry, archives, arguments: one line, no hang, bounded memory?
    numbers   losses that are not finite, dead networks, data that cannot be classified: a reason that is typed?
    table     the table in docs/trust.md, from the record

Trials are recorded in --work one by one: a part that is interrupted goes on by the same command. A part that is whole
writes its section of benchmarks/faults.json. All parts work on the smallest study of the tests, which is run once.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path

from benchmarks.faults import table
from dirconv.provenance import machine, now, versions

PARTS = ("forgery", "kill", "disk", "input", "numbers")


def main() -> None:
    """The parts that are named, or all, and the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}, table; none: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path("results/faults-benchmark"))
    options = parser.parse_args()
    if unknown := set(options.parts) - {*PARTS, "table"}:
        parser.error(f"unknown part {min(unknown)!r}; known: {', '.join(PARTS)}, table")
    options.work = options.work.resolve()
    for name in options.parts or PARTS:
        if name != "table":
            found = importlib.import_module(f"benchmarks.faults.{name}").run(options)
            write(name, {"seed": options.seed, **found})
    table.write()


def write(name: str, found: dict) -> None:
    """The section of a part that is whole."""
    record = json.loads(table.RECORD.read_text(encoding="utf-8")) if table.RECORD.exists() else {}
    provenance = {"created": now(), "machine": machine(), "versions": versions()}
    record[name] = {"command": f"python -m benchmarks.faults {name}", **provenance, **found}
    record = {part: record[part] for part in PARTS if part in record}
    table.RECORD.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{name}: written to {table.RECORD}", file=sys.stderr)


if __name__ == "__main__":
    main()
