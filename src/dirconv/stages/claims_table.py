"""Stage `claims`: the registry of claims and the audits of several studies → the tables of claims in Markdown pages."""

from __future__ import annotations

from pathlib import Path

from dirconv import artifacts
from dirconv.claims import registry
from dirconv.errors import UserError
from dirconv.report import tables
from dirconv.stages import audit


def run(registry_file: Path, results: Path, pages: list[Path]) -> None:
    """Write the tables of `dirconv.report.tables` into the pages, from every audit below the folder `results`.

    UserError where a page cannot be read or its markers are wrong; then none is written.
    """
    claims = registry.load(registry_file)
    if not results.is_dir():
        raise UserError(f"--results: {results}: no folder; name the one that holds the studies' results")
    audits = [audit.read(path) for path in sorted(results.glob("*/audit.json"))]
    texts = {}
    for page in pages:
        try:
            text = page.read_text(encoding="utf-8")
        except OSError as error:
            raise UserError(f"{page}: cannot be read ({error.strerror}); name a Markdown page with markers") from error
        texts[page] = tables.written(page, text, claims, audits)
    for page, text in texts.items():
        artifacts.write_text(page, text)
