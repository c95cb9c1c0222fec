"""Stage `figure`: measures → one figure as PNG and PDF, with the table it was drawn from as CSV."""

from __future__ import annotations

from pathlib import Path

from dirconv import artifacts
from dirconv.figures import Source, style
from dirconv.options import plugin


def run(name: str, measures: Path, members: list[str], out: Path) -> None:
    """Write <out>.png, <out>.pdf and <out>.csv."""
    module = plugin("figures", name, "--figure")
    sources = []
    for folder in members:
        record = artifacts.read_manifest(measures / folder)
        stored = [file.removesuffix(".parquet") for file in record["files"]]
        names = module.FIGURE.tables_in(stored)
        tables = {table: artifacts.read_table(measures / folder / f"{table}.parquet") for table in names}
        sources.append(Source(folder, tables, record))
    with style.applied():
        picture, table = module.draw(sources)
        with artifacts.atomic(out.with_suffix(".csv")) as temporary:
            table.to_csv(temporary, index=False, float_format="%.8g")
        for suffix, metadata in ((".pdf", {"CreationDate": None}), (".png", {"Software": None})):
            with artifacts.atomic(out.with_suffix(suffix)) as temporary:
                picture.savefig(temporary, metadata=metadata)
