"""Stage `figure`: measures → one figure as PNG and PDF, with the table it was drawn from as CSV."""

from __future__ import annotations

from pathlib import Path

from dirconv import artifacts
from dirconv.figures import Source, _style
from dirconv.options import member


def run(name: str, measures: Path, members: list[str], out: Path) -> None:
    """Write <out>.png, <out>.pdf and <out>.csv."""
    module = member("figures", name, "--figure")
    sources = []
    for path in members:
        record = artifacts.read_manifest(measures / path)
        optional = [table for table in getattr(module, "OPTIONAL", ()) if f"{table}.parquet" in record["files"]]
        names = (*module.TABLES, *optional)
        tables = {table: artifacts.read_table(measures / path / f"{table}.parquet") for table in names}
        sources.append(Source(path, tables, record))
    with _style.applied():
        figure, table = module.draw(sources)
        with artifacts.atomic(out.with_suffix(".csv")) as temporary:
            table.to_csv(temporary, index=False, float_format="%.8g")
        for suffix, metadata in ((".pdf", {"CreationDate": None}), (".png", {"Software": None})):
            with artifacts.atomic(out.with_suffix(suffix)) as temporary:
                figure.savefig(temporary, metadata=metadata)
