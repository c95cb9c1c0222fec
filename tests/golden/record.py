"""Record the numbers of golden runs: uv run python tests/golden/record.py [CASE …]

New cases are recorded. Numbers that moved are replaced only where a part that the case guards has a higher version
than recorded: raise NUMERICS in the module that is meant to move them first, and say so in CHANGELOG.md.
"""

from __future__ import annotations

import difflib
import sys

import recorded
import torch
from cases import CASES, Case

from dirconv import numerics


def refusal(case: Case, before: dict, lines: list[str]) -> str:
    """Why numbers that moved are not recorded, or '' if they may be."""
    today = recorded.versions(case)
    raised = any(version > before["parts"].get(part, numerics.FIRST) for part, version in today.items())
    if raised or not lines:
        return ""
    return (
        f"{case.name}: not recorded, {lines[0]}; if this is meant, raise NUMERICS in the module that moves it "
        f"(of {', '.join(today)}), add a line to CHANGELOG.md and record again"
    )


def record(case: Case) -> str:
    """Record a case where there is something to be recorded; a line that says what was done, or why not, or ''."""
    before, numbers = recorded.read(case.name), case.run()
    if before is not None:
        lines = recorded.moved(case, before, numbers)
        why = refusal(case, before, lines)
        if why:
            return why
        said = (before["parts"], before["relative"], before["absolute"])
        same = said == (recorded.versions(case), case.relative, case.absolute)
        if same and not lines and not recorded.new(before, numbers):
            return ""
        if not lines:  # numbers that agree stay as they are, to the last digit
            numbers = {**numbers, **before["numbers"]}
    recorded.write(case, numbers)
    return f"{case.name}: recorded"


def main(names: list[str]) -> int:
    """Record these cases, or all; 1 if a number moved without a version, 2 for a name that no case has."""
    for name in names:
        if name not in CASES:
            near = difflib.get_close_matches(name, CASES, n=1)
            print(f"no golden run is called {name}" + (f"; did you mean {near[0]}?" if near else ""), file=sys.stderr)
            return 2
    torch.set_num_threads(1)
    said = [line for name in names or CASES if (line := record(CASES[name]))]
    print("\n".join(said))
    return int(any("not recorded" in line for line in said))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
