"""Record the numbers of golden runs: uv run python tests/golden/record.py [CASE …]

New cases are recorded. Numbers that moved are replaced only where a part that the case guards has a higher version
than recorded: raise NUMERICS in the module that is meant to move them first, and say so in CHANGELOG.md.
"""

from __future__ import annotations

import difflib
import os
import sys

import recorded
import torch
from cases import CASES, Case


def refusal(case: Case, before: dict, lines: list[str]) -> str:
    """Why numbers that moved are not recorded, or '' if they may be."""
    raised = [part for part, version in recorded.versions(case).items() if version > before["parts"].get(part, 0)]
    if raised or not lines:
        return ""
    return (
        f"{case.name}: not recorded, {lines[0]}; if this is meant, raise NUMERICS in the module that moves it "
        f"({', '.join(case.parts)}), add a line to CHANGELOG.md and record again"
    )


def main(names: list[str]) -> int:
    """Record these cases, or all; 1 if a number moved without a version."""
    for name in names:
        if name not in CASES:
            near = difflib.get_close_matches(name, CASES, n=1)
            print(f"no golden run is called {name}" + (f"; did you mean {near[0]}?" if near else ""), file=sys.stderr)
            return 2
    failed = 0
    for name in names or CASES:
        case, before = CASES[name], recorded.read(name)
        torch.set_num_threads(int(os.environ.get("GOLDEN_THREADS", "1")))
        numbers = case.run()
        lines = [] if before is None else recorded.moved(case, before, numbers)
        why = "" if before is None else refusal(case, before, lines)
        if why:
            print(why, file=sys.stderr)
            failed = 1
            continue
        same = before is not None and not lines and before["parts"] == recorded.versions(case)
        if same and (before["relative"], before["absolute"]) == (case.relative, case.absolute):
            continue
        if before is not None and not lines:
            # the numbers stay as they are: only what is said of them is written anew
            numbers = before["numbers"]
        recorded.write(case, numbers)
        print(f"{name}: recorded")
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
