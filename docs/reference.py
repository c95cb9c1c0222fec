"""What the site takes from elsewhere: reference pages written from the code, copies of pages outside this folder."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
from pathlib import Path
from typing import Any

from dirconv import cli, options
from dirconv.claims import registry
from dirconv.study import configuration

DOCS = Path(__file__).parent
ROOT = DOCS.parent
FOLDER = "reference"  # of the written pages, below the site's sources; git ignores it
COPIES = {  # by where they stand in the repository
    "README.md": "readme.md",
    "CONTRIBUTING.md": "contributing.md",
    "config/README.md": "study-files.md",
    "benchmarks/README.md": "benchmarks.md",
    "notebooks/read_an_audit.ipynb": "read_an_audit.ipynb",
    "notebooks/your_own_network.ipynb": "your_own_network.ipynb",
}
LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)\s#]+)(#[^)\s]*)?(?=\))")  # the target of a Markdown link within the project
ROOMS = {  # of the API: what is shown of each, from top to bottom (docs/design.md)
    "own": ["own"],
    "study": ["study.configuration", "study.validate", "study.resolve", "study.job"],
    "report": ["report", "report.tables"],
    "figures": ["figures", "figures.*"],
    "claims": ["claims", "claims.registry", "claims.judging", "claims.statistics", "claims.rules", "claims.rules.*"],
    "problems": ["problems", "problems.*"],
    "probes": ["probes", "probes.*"],
    "measures": ["measures", "measures.*"],
    "kkt": ["kkt", "kkt.resolved", "kkt.polish"],
    "flow": ["flow", "flow.control", "flow.cuts", "flow.cut_dual", "flow.proximal_step", "flow.methods.*"],
    "training": ["training"],
    "margins": ["margins", "margins.network", "margins.jacobian", "margins.function", "margins.robustness"],
    "homogeneity": ["homogeneity"],
    "losses": ["losses"],
    "models": ["models", "models.*"],
    "data": ["data", "data.*"],
    "oracles": ["oracles", "oracles.*"],
    "small": ["artifacts", "provenance", "numerics", "geometry", "goals", "options", "errors"],
}


def write(source: Path) -> None:
    """Write all pages below `source`/reference and remove others; one that has not changed is left alone."""
    folder = source / FOLDER
    pages = {
        "configuration.md": configured(json.loads((ROOT / "workflow/schemas/study.schema.json").read_text("utf-8"))),
        "command-line.md": command_line(),
        "registry.md": registered(registry.load(ROOT / "config/claims.yaml")),
        **{f"api-{room}.md": api(room) for room in ROOMS},
        "api.md": "# API\n\n```{toctree}\n" + "\n".join(f"api-{room}" for room in ROOMS) + "\n```\n",
        **{target: moved((ROOT / page).read_text("utf-8"), page, FOLDER) for page, target in COPIES.items()},
    }
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


def moved(text: str, page: str, folder: str = "") -> str:
    """`text` of `page`, a path in the repository, with its links as they are from `folder` of the site."""

    def link(match: re.Match[str]) -> str:
        target = Path(os.path.normpath(Path(page).parent / match[1])).as_posix()
        fragment = match[2] or ""
        if target in COPIES:
            place = f"docs/{FOLDER}/{COPIES[target]}"
        elif target.startswith("docs/"):
            place = target
        else:  # a file to be opened; of an audit the page that a browser shows
            place, fragment = re.sub(r"/audit\.md$", "/audit.html", target), ""
        return os.path.relpath(place, Path("docs", folder)) + fragment

    return LINK.sub(link, text)


def point_outside(app: Any, name: str, content: list[str]) -> None:
    """Sphinx's `source-read`: links of the site's own pages lead to the copies of pages that stand elsewhere."""
    if not name.startswith(FOLDER):
        content[0] = moved(content[0], f"docs/{name}.md")


def configured(schema: dict[str, Any]) -> str:
    """The keys of a study file: a table for each kind of mapping, with types, defaults, and the code's comments."""
    lines = [
        "# Configuration",
        "",
        "Every key of a study file, from `workflow/schemas/study.schema.json` and the comments in the code. "
        "[The page about study files](study-files.md) is the introduction. A key without a default is required.",
        "",
        *_keys("Study file", schema, configuration.StudyFile),
    ]
    for name, definition in schema["$defs"].items():
        lines += _keys(name, definition, _class_of(name))
    return "\n".join(lines) + "\n"


def _class_of(name: str) -> type:
    """The class of options that a definition of the schema was made from."""
    if "." in name:
        return importlib.import_module(f"dirconv.{name}").Spec
    return getattr(configuration, name)


def _keys(name: str, definition: dict[str, Any], kind: type) -> list[str]:
    notes = comments(kind)
    lines = [f"## {name}", "", definition.get("description", "").partition("\n\n")[0], ""]
    lines += ["| key | type | default | |", "|---|---|---|---|"]
    for key, value in definition.get("properties", {}).items():
        default = f"`{json.dumps(value['default'], ensure_ascii=False)}`" if "default" in value else ""
        lines.append(f"| `{key}` | {type_of(value)} | {default} | {notes.get(key, '').replace('|', chr(92) + '|')} |")
    return [*lines, ""]


def type_of(value: dict[str, Any]) -> str:
    """The type in a JSON schema in words, its definitions linked."""
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower().replace('.', '')})"
    for several in ("oneOf", "anyOf"):
        if several in value:
            return " or ".join(type_of(each) for each in value[several])
    if "const" in value or "enum" in value:
        return ", ".join(f"`{each}`" for each in value.get("enum", [value.get("const")]))
    if value.get("type") == "array":
        return f"list of {type_of(value['items'])}" if value.get("items") else "list"
    if isinstance(value.get("additionalProperties"), dict):
        return f"mapping to {type_of(value['additionalProperties'])}"
    return {"object": "mapping", "null": "nothing"}.get(value.get("type"), value.get("type", "anything"))


def comments(kind: type) -> dict[str, str]:
    """What stands behind `#` beside each field of a class of options and of those that it is derived from."""
    found = {}
    for each in reversed(kind.__mro__):
        if each.__module__.startswith("dirconv."):
            found |= dict(re.findall(r"^    (\w+): [^#\n]*# (.+)$", inspect.getsource(each), re.MULTILINE))
    return found


def command_line() -> str:
    """`--help` of the command and of each of its stages."""
    os.environ["COLUMNS"] = "110"
    parser = cli._parser()
    stages = next(action for action in parser._actions if hasattr(action, "choices") and action.choices).choices
    helps = {"dirconv": parser, **{f"dirconv {name}": stage for name, stage in stages.items()}}
    lines = ["# Command line", "", "Exit code 2: bad input, said in one line; 75: time limit, rerun to resume.", ""]
    for name, each in helps.items():
        lines += [f"## {name}", "", "```text", each.format_help().rstrip(), "```", ""]
    return "\n".join(lines)


def registered(claims: dict[str, registry.Claim]) -> str:
    """Every claim of the registry with what it says, where from, and how it is judged."""
    lines = ["# Registry of claims", "", "From `config/claims.yaml`. [Verdicts](../claims.md) stand apart.", ""]
    for part, heading in registry.PARTS.items():
        lines += [f"## {heading}", ""]
        for name, claim in claims.items():
            if claim.part == part:
                lines += _claim(name, claim)
    return "\n".join(lines)


def _claim(name: str, claim: registry.Claim) -> list[str]:
    rule = registry.rule(claim.rule)
    notes = comments(rule.Thresholds)
    return [
        f"({name})=",
        f"### {claim.title}",
        "",
        f"`{name}`" + (f", a check of [{claim.checks_claim}](#{claim.checks_claim})" if claim.checks_claim else ""),
        "",
        f"- Statement: {_escaped(claim.statement)}",
        f"- Source: {claim.source}",
        *([f"- Assumptions: {_escaped('; '.join(claim.assumptions))}"] if claim.assumptions else []),
        f"- Runs: {', '.join(f'`{run}`' for run in claim.runs)}",
        f"- Statistic: {_escaped(rule.RULE.statistic)}",
        f"- Judged (rule `{claim.rule}`): {_escaped(rule.RULE.judged)}",
        f"- Expected: {claim.expected}" + (f"; must be {' or '.join(claim.must_be)}" if claim.must_be else ""),
        "",
        "| threshold | value | |",
        "|---|---|---|",
        *(f"| `{key}` | {value:g} | {_escaped(notes.get(key, ''))} |" for key, value in claim.thresholds.items()),
        "",
    ]


def _escaped(text: str) -> str:
    return re.sub(r"([*_|<\[\]])", r"\\\1", " ".join(text.split()))


def api(room: str) -> str:
    """A page of a room: its modules, each with its docstrings."""
    lines = [f"# {'Small modules' if room == 'small' else f'dirconv.{room}'}", ""]
    for entry in ROOMS[room]:
        package = entry.removesuffix(".*")
        for name in [f"{package}.{each}" for each in options.modules(package)] if entry != package else [entry]:
            lines += [f"## {name}", "", "```{eval-rst}", f".. automodule:: dirconv.{name}", "```", ""]
    return "\n".join(lines)


def as_restructured_text(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Sphinx's `autodoc-process-docstring`: docstrings are plain text, with code in single backticks.

    A paragraph with an indented line (a formula, a list of parameters), a table or a list stays as it is written.
    """
    paragraphs = re.split(r"\n(?:[ \t]*\n)+", "\n".join(lines).strip("\n"))
    written: list[str] = []
    for paragraph in filter(None, paragraphs):
        rows = paragraph.splitlines()
        if any(row.startswith((" ", "=", "* ", "- ")) for row in rows):
            written += ["::", "", *(f"    {row}" for row in rows), ""]
        else:
            written += ["\\" * rows[0].startswith("(") + _marked(" ".join(rows)), ""]
    lines[:] = written


def _marked(text: str) -> str:
    """Plain text with `code` as reStructuredText."""
    parts = re.split(r"`+", text)
    plain = [re.sub(r"([\\*|_])", r"\\\1", part) for part in parts[::2]]
    code = [f"``{part}``" for part in parts[1::2]]
    return "".join(part for pair in zip(plain, [*code, ""], strict=False) for part in pair)
