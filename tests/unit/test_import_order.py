"""The house (CONTRIBUTING.md): imports only point downward, and the code hash sees all of them."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import dirconv
from dirconv import provenance

HOUSE = (  # from top to bottom; those in one row may not import each other
    ("__main__",),
    ("cli",),
    ("stages",),
    ("own",),
    ("report",),
    ("figures",),
    ("claims",),
    ("problems", "probes"),
    ("measures",),
    ("flow", "training"),
    ("homogeneity",),
    ("margins",),
    ("losses",),
    ("models",),
    ("data",),
    ("oracles",),
    ("artifacts", "provenance"),
    ("config",),
    ("options", "geometry"),
    ("errors",),
)
LEVEL = {room: level for level, row in enumerate(HOUSE) for room in row}
READERS = ("report", "figures", "claims")  # of tables
LAZY = {"losses", "homogeneity"}  # rooms whose names cost nothing, and which import torch in functions only
OPEN_TO_READERS = {*READERS, *LAZY, "artifacts", "provenance", "config", "options", "geometry", "errors"}
HEAVY = {"torch", "torchvision"}
DYNAMIC = {"options"}  # the only room that may import by a computed name; specifications name what it finds

PACKAGE = Path(dirconv.__file__).parent


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {module: ast.parse(path.read_text()) for module, path in FILES.items()}


def room(module: str) -> str:
    """The first name below the package; empty for the package itself."""
    return module.partition(".")[2].partition(".")[0]


def imported(module: str) -> set[str]:
    """Every name that a module's text imports, inside functions and under TYPE_CHECKING too."""
    return names(module, ast.walk(TREES[module]))


def at_once(module: str) -> set[str]:
    """The names that are imported when the module itself is."""
    return names(module, TREES[module].body)


def names(module: str, nodes) -> set[str]:
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}, line {node.lineno}: a relative import, which the code hash cannot see"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def own(module: str) -> set[str]:
    """The modules of the package among them."""
    return imported(module) & FILES.keys()


def of_rooms(*rooms: str) -> list[str]:
    return [module for module in FILES if room(module) in rooms]


def chains(module: str, lazy: set[str] = frozenset()) -> dict[str, list[str]]:
    """Each module reached from `module`, with the way there; through rooms in `lazy` by what they import at once."""
    ways, waiting = {module: [module]}, [module]
    while waiting:
        here = waiting.pop()
        package = {here.rpartition(".")[0]} & FILES.keys() - {"dirconv"}  # is imported before its module
        direct = at_once(here) & FILES.keys() if room(here) in lazy else own(here)
        for there in (direct | package) - ways.keys():
            ways[there] = [*ways[here], there]
            waiting.append(there)
    return ways


def test_every_room_has_a_place():
    unplaced = {room(module) for module in FILES} - {"", *LEVEL}
    assert not unplaced, f"place in HOUSE, and in CONTRIBUTING.md: {sorted(unplaced)}"


@pytest.mark.parametrize("module", FILES)
def test_imports_point_downward(module):
    here = room(module)
    for there in sorted({room(name) for name in own(module)} - {here, ""}):
        assert here, f"{module} must import nothing of the package"
        assert LEVEL[there] > LEVEL[here], f"{module} imports {there}, which is not below {here}"


@pytest.mark.parametrize("module", of_rooms(*READERS))
def test_readers_of_tables_see_only_tables(module):
    for reached, way in chains(module, LAZY).items():
        assert room(reached) in {"", *OPEN_TO_READERS}, " → ".join(way)
        known = at_once(reached) if room(reached) in LAZY else imported(reached)
        heavy = HEAVY & {name.split(".")[0] for name in known}
        assert not heavy, " → ".join([*way, *sorted(heavy)])


@pytest.mark.parametrize("module", [module for module in FILES if room(module) not in DYNAMIC])
def test_no_import_is_hidden_from_the_code_hash(module):
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            assert name not in ("import_module", "__import__"), f"{module}, line {node.lineno}: use options.member"


def holds_spec(module: str) -> bool:
    return any(isinstance(node, ast.ClassDef) and node.name == "Spec" for node in TREES[module].body)


def test_reading_a_configuration_and_drawing_need_no_torch():
    light = [
        *of_rooms("config", "options", "geometry", "homogeneity", "data", "models", *READERS),
        "dirconv.losses",
        *(module for module in of_rooms("flow") if holds_spec(module)),
        *(module for module in ("dirconv.cli", "dirconv.stages.resolve") if module in FILES),
    ]
    code = (
        "import importlib, json, sys\n"
        "for module in json.loads(sys.argv[1]):\n"
        "    importlib.import_module(module)\n"
        "    if 'torch' in sys.modules:\n"
        "        sys.exit(f'{module} imports torch')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, json.dumps(light)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# The code hash itself ------------------------------------------------------------------------------------------------


def forget():
    provenance.imports.cache_clear()
    provenance._code.cache_clear()
    provenance.equivalents.cache_clear()


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the package that may be edited, and whose hashes are taken."""
    folder = tmp_path / "dirconv"
    shutil.copytree(PACKAGE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(provenance, "PACKAGE", folder)
    forget()
    yield folder
    forget()


CHAIN = {
    "top.py": '"""Top."""\nfrom dirconv import middle\n\n\ndef f():\n    """f."""\n    return middle.g()  # call\n',
    "middle.py": "def g():\n    from dirconv.bottom import h\n\n    return h('# no comment')\n",
    "bottom.py": "def h(x):\n    return x\n",
    "aside.py": "VALUE = 1\n",
}


@pytest.fixture
def chain(copy):
    """The copy with top → middle → bottom (the last inside a function), and aside."""
    for name, text in CHAIN.items():
        (copy / name).write_text(text)
    return copy


def edited(folder: Path, name: str, old: str, new: str) -> str:
    """The hash of `top` after a replacement in a module."""
    path = folder / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    forget()
    return provenance.code_hash("dirconv.top")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("top.py", "# call", "# another remark"),
        ("top.py", "  # call", ""),
        ("top.py", '"""Top."""', '"""Top, in\n\nseveral lines."""'),
        ("top.py", '    """f."""\n', ""),
        ("top.py", "\n\n\ndef", "\n# remark\n\ndef"),
        ("bottom.py", "def h", '"""A docstring where there was none."""\n\n\ndef h'),
        ("bottom.py", "    return", "    # before\n    return"),
    ],
)
def test_comments_docstrings_and_blank_lines_do_not_count(chain, name, old, new):
    before = provenance.code_hash("dirconv.top")
    assert edited(chain, name, old, new) == before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("top.py", "middle.g()", "middle.g() or 1"),
        ("middle.py", "# no comment", "# no remark"),  # in a string
        ("bottom.py", "return x", "return -x"),
    ],
)
def test_code_counts_through_every_import(chain, name, old, new):
    before = provenance.code_hash("dirconv.top")
    assert edited(chain, name, old, new) != before


def test_unrelated_code_and_the_version_do_not_count(chain):
    before = provenance.code_hash("dirconv.top")
    assert edited(chain, "aside.py", "VALUE = 1", "VALUE = 2") == before
    assert edited(chain, "__init__.py", dirconv.__version__, "99.0.0") == before


def test_hash_differs_between_modules_and_does_not_depend_on_order(chain):
    assert provenance.code_hash("dirconv.top") != provenance.code_hash("dirconv.aside")
    both = provenance.code_hash("dirconv.top", "dirconv.aside")
    assert both == provenance.code_hash("dirconv.aside", "dirconv.top")


def test_code_known_to_compute_the_same_goes_by_its_predecessors_hash(chain):
    """And a further edit is a further code."""
    before = provenance.code_hash("dirconv.top")
    after = edited(chain, "bottom.py", "return x", "return +x")
    assert after != before
    (chain / "equivalent.toml").write_text(f'[[change]]\ncodes = {{"{after}" = "{before}"}}\n')
    forget()
    assert provenance.code_hash("dirconv.top") == before
    assert edited(chain, "bottom.py", "return +x", "return -x") not in (before, after)


def test_what_is_held_to_be_equivalent_says_why_and_how_it_was_checked():
    changes = tomllib.loads((provenance.PACKAGE / "equivalent.toml").read_text())["change"]
    for change in changes:
        assert len(change["why"]) > 40 and len(change["checked"]) > 40
        assert all(re.fullmatch("[0-9a-f]{16}", code) for pair in change["codes"].items() for code in pair)
    codes = [code for change in changes for code in change["codes"]]
    assert len(codes) == len(set(codes)) == len(provenance.equivalents())
    assert not set(codes) & set(provenance.equivalents().values())  # what it goes by goes by nothing else


def test_closure_sees_what_the_syntax_tree_sees():
    for module in FILES:
        assert set(provenance.closure(module)) >= chains(module).keys() - {"dirconv"}, module


def test_remarks_in_the_real_package_do_not_count(copy):
    modules = sorted(FILES)
    before = {module: provenance.code_hash(module) for module in modules}
    for path in copy.rglob("*.py"):
        path.write_text("# first\n" + path.read_text() + "\n# last\n")
    forget()
    assert {module: provenance.code_hash(module) for module in modules} == before


@pytest.mark.parametrize("module", [m for m in of_rooms("stages", "training", "flow", "measures") if "__" not in m])
def test_edit_below_reaches_every_job(copy, module):
    """dirconv.errors is imported by nearly all, mostly through others."""
    before = provenance.code_hash(module)
    (copy / "errors.py").write_text((copy / "errors.py").read_text() + "\nEDITED = True\n")
    forget()
    reached = "dirconv.errors" in chains(module)
    assert (provenance.code_hash(module) != before) == reached


@pytest.mark.parametrize("stage", ["data", "homogeneity", "train", "flow", "measure"])
def test_what_is_trained_and_measured_does_not_depend_on_how_it_is_judged(stage):
    judging = {"claims", "figures", "report"}
    assert not {room(module) for module in provenance.closure(f"dirconv.stages.{stage}")} & judging
