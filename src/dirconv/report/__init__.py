"""The audit page: an audit (the content of audit.json, made by `stages.audit`) as Markdown and as one HTML file.

`_view` prepares everything that a page shows; the templates beside this file lay it out.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dirconv.report import _view, _words
from dirconv.report._explore import explored

NUMERICS = 2
GOES_THROUGH = ("calibration", "figure_sources")

HERE = Path(__file__).parent
UPLOT = "uplot"  # folder of the library that draws the plots: CONTRIBUTING.md says how to move its version
# characters that Markdown would read as markup, where it would
MARKUP = re.compile(r"([\\`*|$]|(?<!\w)_|_(?!\w)|<(?=\S)|~(?=\S)|&(?=#|\w+;)|\](?=[(\[:]))")


def markdown(audit: dict[str, Any], folder: Path) -> str:
    """The audit in Markdown, for a file in `folder`: pictures are linked relative to it."""
    template = _environment(autoescape=False, finalize=_plain).get_template("audit.md.j2")
    return template.render(_view.page(audit, lambda path: _link(path, folder)))


def html(audit: dict[str, Any]) -> str:
    """The audit as one HTML file that needs no other: pictures are inside. UserError if one is missing.

    Runs are plotted where their measures are still there.
    """
    data = explored(audit)
    sheets, scripts = ["page.css"], ["page.js"]
    if data:
        sheets, scripts = [*sheets, f"{UPLOT}/uPlot.min.css"], [f"{UPLOT}/uPlot.iife.min.js", "explore.js", *scripts]
    return (
        _environment(autoescape=True)
        .get_template("audit.html.j2")
        .render(
            _view.page(audit, _view.embedded),
            style=_inline(*sheets),
            scripts=[_inline(name) for name in scripts],
            # of JSON in a page only "<" could end it
            explored=data and Markup(json.dumps(data, separators=(",", ":")).replace("<", r"\u003c")),
        )
    )


def _inline(*names: str) -> dict[str, Markup]:
    """Style sheets or a script beside this file, and the hash by which the page's content security policy admits it."""
    text = "\n".join(map(_source, names))
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return {"text": Markup(text), "hash": Markup(f"'sha256-{digest}'")}


def _source(name: str) -> str:
    """A file beside this one; if it is another project's, its licence goes with it."""
    path = HERE / name
    licence = path.with_name("LICENSE")
    above = f"/*\n{licence.read_text(encoding='utf-8')}*/\n" if licence.exists() else ""
    return above + path.read_text(encoding="utf-8")


def _environment(**options: Any) -> Environment:
    environment = Environment(
        loader=PackageLoader("dirconv.report", "."),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **options,
    )
    environment.filters |= {"code": _code, "interval": _interval, "alternatives": _words.alternatives}
    environment.filters |= {"number": _words.number, "date": _words.date}
    return environment


def _interval(outcome: dict[str, Any]) -> str:
    return _words.interval(*(outcome[key] for key in ("value", "low", "high")))


def _plain(value: Any) -> Any:
    """A string escaped for Markdown; one that is marked as safe is left alone."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return Markup(MARKUP.sub(r"\\\1", " ".join(value.split())))
    return value


def _code(value: str) -> Markup:
    """A string as inline code, also in a cell of a table."""
    return Markup("`{}`").format(Markup(" ".join(value.split()).replace("`", "'").replace("|", r"\|")))


def _link(path: Path, folder: Path) -> str:
    return Markup(Path(os.path.relpath(path, folder)).as_posix().replace(" ", "%20"))
