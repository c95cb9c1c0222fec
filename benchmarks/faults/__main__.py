"""What happens when things go wrong: each part plants faults of a kind and counts what was not said or not kept.

    nice -n 10 uv run python -m benchmarks.faults [PART …] [--seed 0] [--work PATH]

    forgery   files of a finished study altered: does `audit --check` name them?
    kill      jobs killed at random moments: do they go on, to the same bits?
    disk      no room, no permission, a limit reached while writing: a clear line, nothing half-written?
    input     nonsense as configuration, registry, archives, arguments: one line, no hang, bounded memory?
    numbers   losses that are not finite, dead networks, data that cannot be classified: a reason that is typed?
    table     no trials: benchmarks/faults.json and the table in docs/trust.md from the trials so far

Trials are recorded in --work one by one: a part that is interrupted goes on by the same command. All parts work on a
small study that is run once. Three words for what must not be: `lost` (a number, or a file taken for whole), `unnamed`
(nothing said, or more than a line), `traceback` (or more memory than 3 GiB), `hang`.
"""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path

from benchmarks.faults import common, table
from dirconv.provenance import machine, now, versions

PARTS = ("forgery", "kill", "disk", "input", "numbers")


def main() -> None:
    """The parts that are named, or all; then record and table."""
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
            importlib.import_module(f"benchmarks.faults.{name}").run(options)
    write(options)


def write(options: argparse.Namespace) -> None:
    """The record, its sections made anew where --work has trials, and the table."""
    record = json.loads(table.RECORD.read_text(encoding="utf-8")) if table.RECORD.exists() else {}
    for name in PARTS:
        part = importlib.import_module(f"benchmarks.faults.{name}")
        if found := common.section(options, name, part.COUNT):
            command = f"python -m benchmarks.faults {name} --seed {options.seed}"
            record[name] = {"command": command, "created": now(), "machine": machine(), "versions": versions(), **found}
    record = {name: record[name] for name in PARTS if name in record}
    table.RECORD.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    table.write()


if __name__ == "__main__":
    main()
