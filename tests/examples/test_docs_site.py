"""The documentation: links lead to files, what is written from the code is whole, and Sphinx builds it unwarned."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dirconv import cli
from dirconv.claims import registry

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))


def loaded():
    """docs/reference.py, which is no module of the package."""
    spec = importlib.util.spec_from_file_location("reference", DOCS / "reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


reference = loaded()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_link_leads_to_a_file(page):
    text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    missing = [link for link, _ in reference.LINK.findall(text) if not (DOCS / link).exists()]
    assert not missing


def test_every_page_stands_in_the_contents():
    contents = (DOCS / "index.md").read_text(encoding="utf-8")
    pages = [page.stem for page in PAGES if page.stem != "index"]
    pages += [f"reference/{Path(copy).stem}" for copy in reference.COPIES.values()]
    missing = [page for page in pages if not re.search(rf"^{page}$|<{page}>$", contents, re.MULTILINE)]
    assert not missing


def test_links_follow_a_page_that_is_copied():
    text = "[a](docs/flow.md#x) [b](results/s/audit.md#claim) [c](CONTRIBUTING.md) [d](https://e.org/f.md) [e](#here)"
    moved = "[a](../flow.md#x) [b](../../results/s/audit.html) [c](contributing.md) [d](https://e.org/f.md) [e](#here)"
    assert reference.moved(text, "README.md", "reference") == moved


def test_a_page_of_the_folder_leads_to_copies_and_else_where_it_led():
    assert reference.moved("[a](../README.md) [b](flow.md)", "docs/index.md") == "[a](reference/readme.md) [b](flow.md)"


def test_the_configuration_page_has_every_key_of_every_mapping():
    schema = json.loads((ROOT / "workflow/schemas/study.schema.json").read_text(encoding="utf-8"))
    sections = re.split(r"^## ", reference.configured(schema), flags=re.MULTILINE)[1:]
    found = {part.splitlines()[0]: re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE) for part in sections}
    definitions = {"Study file": schema, **schema["$defs"]}
    assert found == {name: list(definition.get("properties", {})) for name, definition in definitions.items()}


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer"}, "integer"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string or nothing"),
        ({"enum": ["a", "b"]}, "`a`, `b`"),
        ({"const": "a"}, "`a`"),
        ({"type": "array", "items": {"type": "number"}}, "list of number"),
        (
            {"additionalProperties": {"$ref": "#/$defs/flow.methods.rk4"}},
            "mapping to [flow.methods.rk4](#flowmethodsrk4)",
        ),
    ],
)
def test_a_type_is_said_in_words(schema, words):
    assert reference.type_of(schema) == words


def test_a_comment_beside_a_field_explains_its_key():
    from dirconv.data.digits import Spec

    notes = reference.comments(Spec)
    assert notes["test_fraction"] == "of each digit's images"
    assert notes["train"] == "how many images; all by default"  # of the class that it is derived from


def test_the_command_line_page_has_every_stage():
    stages = re.findall(r"^## dirconv (\S+)$", reference.command_line(), re.MULTILINE)
    assert set(stages) == {*cli.STAGES, "resolve", "calibrate", "audit", "workflow", "check"}


def test_the_registry_page_has_every_claim_with_its_thresholds():
    claims = registry.load(ROOT / "config" / "claims.yaml")
    page = reference.registered(claims)
    assert re.findall(r"^\((\w+)\)=$", page, re.MULTILINE) == [
        name for part in registry.PARTS for name, claim in claims.items() if claim.part == part
    ]
    assert page.count("| threshold | value |") == len(claims)


def test_the_api_has_every_room_of_the_house():
    shown = {entry.partition(".")[0] for entries in reference.ROOMS.values() for entry in entries}
    rooms = {path.stem for path in (ROOT / "src/dirconv").iterdir() if not path.name.startswith("_")}
    assert shown == rooms - {"cli", "stages"}  # the command line has a page of its own


def test_a_docstring_keeps_its_formulas_and_its_signs():
    lines = ["A `name` of x_i * y.", "", "    p(W) = 0", "", "(a) is", "no list."]
    reference.as_restructured_text(None, "module", "m", None, None, lines)
    assert lines == [r"A ``name`` of x\_i \* y.", "", "::", "", "        p(W) = 0", "", r"\(a) is no list.", ""]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site; notebooks are not executed, which other tests do."""
    pytest.importorskip("sphinx", reason="Sphinx is not installed: uv sync --group docs")
    pytest.importorskip("myst_nb", reason="myst-nb is not installed: uv sync --group docs")
    folder = tmp_path_factory.mktemp("site")
    options = ["-W", "--keep-going", "-b", "html", "-d", str(folder / "trees"), "-D", "nb_execution_mode=off"]
    command = [sys.executable, "-m", "sphinx", *options, str(DOCS), str(folder / "html")]
    path = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "html"


def test_every_link_of_the_site_leads_to_a_file_and_to_an_anchor_in_it(site):
    pages = {page: page.read_text(encoding="utf-8") for page in site.rglob("*.html") if "_downloads" not in page.parts}
    assert site / "reference" / "readme.html" in pages
    broken = []
    for page, text in pages.items():
        for link in re.findall(r'(?:href|src)="([^"]+)"', text):
            target, _, fragment = link.partition("#")
            if "://" in link or link.startswith(("mailto:", "data:")):
                continue
            there = (page.parent / target.partition("?")[0]).resolve() if target else page
            if not there.is_file() or (fragment and there in pages and f'id="{fragment}"' not in pages[there]):
                broken.append(f"{page.relative_to(site)}: {link}")
    assert not broken
