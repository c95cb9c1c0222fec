"""The messages that docs/faq.md explains are those of the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HEADINGS = re.findall(r"^### `+(.+?)`+$", (ROOT / "docs" / "faq.md").read_text(encoding="utf-8"), re.MULTILINE)


def texts():
    """Every string of the package, … for what is filled in."""
    for path in (ROOT / "src" / "dirconv").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


MESSAGES = {re.sub("…+", "…", text) for text in texts()}


def test_the_page_explains_messages():
    assert len(HEADINGS) >= 10


@pytest.mark.parametrize("heading", HEADINGS)
def test_a_message_of_the_page_is_one_of_the_code(heading):
    assert heading in MESSAGES
