"""Sphinx builds the site from the pages of this folder and what `reference` writes from the code.

uv run --group docs sphinx-build -W -b html docs docs/_build
"""

import os
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "src")]

import reference  # noqa: E402

import dirconv  # noqa: E402

project = "dirconv"
author = copyright = "The dirconv authors"
version = release = dirconv.__version__
html_title = f"dirconv {version}"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.mathjax"]
html_theme = "furo"
exclude_patterns = ["_build", "jupyter_execute"]
smartquotes = False  # options begin with two hyphens
myst_heading_anchors = 4
os.environ.setdefault("DIRCONV_AUDIT", str(reference.ROOT / "results" / "theorems" / "audit.json"))
nb_execution_mode = "cache"  # executed where they have changed since the last build
nb_execution_cache_path = str(reference.DOCS / "_build" / "notebooks")
nb_execution_timeout = 600  # seconds, a cell
nb_execution_raise_on_error = True
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 100
suppress_warnings = ["ref.python"]  # two rooms have a class of one name, `Source`: its links lead to the first
autodoc_default_options = {"members": True, "exclude-members": "RULE, FIGURE"}


def setup(app):
    app.connect("builder-inited", lambda app: reference.write(Path(app.srcdir)))
    app.connect("source-read", reference.point_outside)
    app.connect("autodoc-process-docstring", reference.as_restructured_text)
