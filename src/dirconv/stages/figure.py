"""Stage `figure`: measures → one figure as PNG and PDF, with the table it was drawn from as CSV."""

from __future__ import annotations

from pathlib import Path

from dirconv import artifacts
from dirconv.figures import Drawing, Source, Table, style
from dirconv.options import plugin


def run(name: str, measures: Path, members: list[str], out: Path) -> None:
    """Write <out>.png, <out>.pdf and <out>.csv."""
    with style.applied():
        picture, table = drawn(name, measures, members)
        artifacts.write_text(out.with_suffix(".csv"), as_text(table))
        for suffix, metadata in ((".pdf", {"CreationDate": None}), (".png", {"Software": None})):
            with artifacts.atomic(out.with_suffix(suffix)) as temporary:
                picture.savefig(temporary, metadata=metadata)


def drawn(name: str, measures: Path, members: list[str]) -> Drawing:
    """The picture of these measures, and the table it was drawn from."""
    module = plugin("figures", name, "--figure")
    sources = []
    for folder in members:
        record = artifacts.read_manifest(measures / folder)
        names = module.FIGURE.tables_in([file.removesuffix(".parquet") for file in record["files"]])
        sources.append(Source(folder, artifacts.read_tables(measures / folder, names), record))
    return module.draw(sources)


def as_text(table: Table) -> str:
    """A picture's table as CSV."""
    return table.to_csv(index=False, float_format="%.8g", lineterminator="\n")
