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
        names = module.FIGURE.tables_in([file.removesuffix(".parquet") for file in record["files"]])
        sources.append(Source(folder, artifacts.read_tables(measures / folder, names), record))
    with style.applied():
        picture, table = module.draw(sources)
        with artifacts.atomic(out.with_suffix(".csv")) as temporary:
            table.to_csv(temporary, index=False, float_format="%.8g")
        for suffix, metadata in ((".pdf", {"CreationDate": None}), (".png", {"Software": None})):
            with artifacts.atomic(out.with_suffix(suffix)) as temporary:
                picture.savefig(temporary, metadata=metadata)
