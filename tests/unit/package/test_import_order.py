"""The house (CONTRIBUTING.md): imports only point downward, and no package looks into another's private modules."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import dirconv

HOUSE = (  # from top to bottom; those in one row may not import each other
    ("__main__",),
    ("cli",),
    ("stages",),
    ("own", "study"),
    ("report",),
    ("figures",),
    ("claims",),
    ("problems", "probes"),
    ("measures",),
    ("kkt",),
    ("flow", "training"),
    ("homogeneity",),
    ("margins",),
    ("losses",),
    ("models",),
    ("data",),
    ("oracles",),
    ("artifacts", "provenance", "numerics", "geometry"),
    ("goals",),
    ("options",),
    ("errors",),
)
LEVEL = {room: level for level, row in enumerate(HOUSE) for room in row}
READERS = ("report", "figures", "claims")  # of tables
LAZY = {"losses", "homogeneity"}  # rooms whose names cost nothing, and which import torch in functions only
OPEN_TO_READERS = {*READERS, *LAZY, "artifacts", "provenance", "geometry", "goals", "options", "errors"}
HEAVY = {"torch", "torchvision"}

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
            assert node.level == 0, f"{module}, line {node.lineno}: import by the full name"
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
        assert here or there == "own", f"{module} must import nothing of the package but `follow`, and that lazily"
        if not here:
            continue
        assert LEVEL[there] > LEVEL[here], f"{module} imports {there}, which is not below {here}"


@pytest.mark.parametrize("module", of_rooms(*READERS))
def test_readers_of_tables_see_only_tables(module):
    for reached, way in chains(module, LAZY).items():
        assert room(reached) in {"", *OPEN_TO_READERS}, " → ".join(way)
        known = at_once(reached) if room(reached) in LAZY else imported(reached)
        heavy = HEAVY & {name.split(".")[0] for name in known}
        assert not heavy, " → ".join([*way, *sorted(heavy)])


@pytest.mark.parametrize("module", FILES)
def test_no_package_imports_another_ones_private_module(module):
    for there in own(module):
        package, _, name = there.rpartition(".")
        if name.startswith("_") and name != "__init__":
            assert module == package or module.startswith(f"{package}."), f"{module} imports {there}"


def holds_spec(module: str) -> bool:
    return any(isinstance(node, ast.ClassDef) and node.name == "Spec" for node in TREES[module].body)


def test_reading_a_configuration_and_drawing_need_no_torch():
    light = [
        *of_rooms("", "options", "goals", "numerics", "provenance", "data", "models", "study", *READERS),
        *(module for module in of_rooms("flow") if holds_spec(module)),
        "dirconv.losses",
        "dirconv.homogeneity",
        "dirconv.cli",
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
