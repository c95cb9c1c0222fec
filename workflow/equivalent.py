"""Prints, for `src/dirconv/equivalent.toml`, today's codes of the committed artifacts = the codes that they carry.

    uv run python workflow/equivalent.py

To be run after a change of code that leaves their numbers what they are, once that has been shown by making some of
them again. Whether it is so, no program can tell: what is printed is a claim, to be entered with its evidence.
"""

from __future__ import annotations

import sys
from pathlib import Path

from dirconv import artifacts, provenance
from dirconv.stages import audit, resolve


def main() -> None:
    """A line for each code that today's is not."""
    known = provenance.equivalents()
    provenance.equivalents = dict
    found = {}
    for path in sorted(Path("config").glob("*.yaml")):
        if not (Path("results") / path.stem / "audit.json").exists():
            continue
        resolved = resolve.load(path)
        folders = {member: Path(resolved.results) / "measures" / member for member in resolved.shown}
        for member, folder in folders.items():
            if not folder.exists():
                continue
            manifest = artifacts.read_manifest(folder)
            for stage, made in audit.codes(manifest).items():
                today = resolved.code(member)[stage].split("-")[0]
                if today != made and known.get(today) != made and found.setdefault(today, made) != made:
                    sys.exit(f"{member}: {stage}: made by {made}, others of today's code by {found[today]}")
    for today, made in sorted(found.items()):
        print(f'"{today}" = "{made}"')


if __name__ == "__main__":
    main()
