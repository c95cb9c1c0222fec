"""Stage `claims`: the registry of claims → the tables of claims in README.md.

For each part of the registry the file holds the markers `<!-- claims:PART -->` and `<!-- /claims:PART -->`. What stands
between them is replaced; the rest of the file is left alone.
"""

from __future__ import annotations

import re
from pathlib import Path

from dirconv import artifacts
from dirconv.claims import registry
from dirconv.errors import UserError


def run(registry_file: Path, readme: Path) -> None:
    """Write the tables into `readme`. UserError where a part's markers are missing or there more than once."""
    try:
        text = Path(readme).read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"--readme: {readme}: cannot be read ({error.strerror}); name a file with markers") from error
    artifacts.write_text(Path(readme), tables(registry.load(registry_file), text, str(readme)))


def tables(claims: dict[str, registry.Claim], text: str, where: str) -> str:
    """`text` with the table of each part between its markers."""
    for part in registry.PARTS:
        first, last = f"<!-- claims:{part} -->", f"<!-- /claims:{part} -->"
        pattern = re.compile(f"{re.escape(first)}\n.*?{re.escape(last)}", re.DOTALL)
        if len(pattern.findall(text)) != 1 or text.count(first) != 1 or text.count(last) != 1:
            raise UserError(f"{where}: expected the lines {first} and {last}, each once and in this order")
        block = f"{first}\n\n{table(claims, part)}\n\n{last}"
        text = pattern.sub(lambda _, block=block: block, text)
    return text


def table(claims: dict[str, registry.Claim], part: str) -> str:
    """A part's heading and its table: a row a claim, its checks named in the row."""
    lines = [f"**{registry.PARTS[part]}**", "", "| target | claim | figure |", "|---|---|---|"]
    for name, claim in claims.items():
        if claim.part == part and claim.checks_claim is None:
            title = " ".join(claim.title.split()).replace("|", r"\|")
            targets = ", ".join(f"`claim_{check}`" for check in registry.checks(claims, name))
            checks = f"; checks: {targets}" if targets else ""
            lines.append(f"| `claim_{name}` | {title}{checks} | `{claim.figure}` |")
    return "\n".join(lines)
