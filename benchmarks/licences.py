"""The licences of everything that the environment installs, as docs/licences.md lists them.

    uv run python benchmarks/licences.py

Read from the metadata of what is installed here; what pyproject.toml pins for other systems only is named without one.
"""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from email.message import Message
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "licences.md"
CLASSIFIER = "License :: "


def pinned() -> dict[str, str]:
    """Name → version of all packages that pyproject.toml pins."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return dict(line.partition(";")[0].strip().split("==") for line in project["tool"]["uv"]["constraint-dependencies"])


def direct() -> set[str]:
    """The names of the packages that the project itself asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = [each for extra in project["project"]["optional-dependencies"].values() for each in extra]
    asked = [*project["project"]["dependencies"], *extras, *project["dependency-groups"]["dev"]]
    return {re.match(r"[\w.-]+", requirement)[0] for requirement in asked}


def licence(name: str) -> str:
    """What a package's metadata says of its licence, in words where it says nothing or is not installed."""
    try:
        metadata: Message = importlib.metadata.metadata(name)  # type: ignore[assignment]
    except importlib.metadata.PackageNotFoundError:
        return "not installed on the machine that made this table"
    if expression := metadata.get("License-Expression"):
        return expression
    classifiers = metadata.get_all("Classifier") or []
    named = [each.rpartition(" :: ")[2] for each in classifiers if each.startswith(CLASSIFIER)]
    said = (metadata.get("License") or "").strip().split("\n")[0]  # some give the whole text
    return ", ".join(named) if named and named != ["OSI Approved"] else said or "not said"


def table() -> str:
    """A row a package, those that the project asks for first."""
    asked = direct()
    rows = [
        f"| {name} | {version} | {'yes' if name in asked else ''} | {licence(name)} |"
        for name, version in sorted(pinned().items(), key=lambda item: (item[0] not in asked, item[0]))
    ]
    return "\n".join(["| package | version | asked for | licence |", "| --- | --- | --- | --- |", *rows])


if __name__ == "__main__":
    PAGE.write_text(
        "# Licences\n\nOf all packages that pyproject.toml pins, as their metadata says them; made by "
        f"`python benchmarks/licences.py`.\ndirconv itself is under the MIT licence.\n\n{table()}\n",
        encoding="utf-8",
    )
