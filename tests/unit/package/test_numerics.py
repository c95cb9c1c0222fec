"""Declared versions: what a job goes through, when a result is stale, and that no module is forgotten."""

from __future__ import annotations

import ast
import shutil

import pytest

from dirconv import numerics

NETWORK = {"model": {"name": "alexnet"}, "flow": {"method": "proximal"}, "data": {"source": "digits"}}
SPECIFICATIONS = {
    "data": {"source": "digits"},
    "homogeneity": NETWORK,
    "train": NETWORK,
    "flow": NETWORK,
    "measure": NETWORK,
    "probe": {**NETWORK, "probe": "degree"},
    "problem": {"problem": {"name": "deep_linear"}},
    "claim": {"rule": "direction"},
    "calibrate": {"rules": ["direction"], "sets": ["tuning"]},
    "figure": {"figure": "risk"},
    "audit": {},
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package whose versions are read, and may be raised."""
    folder = tmp_path / "dirconv"
    shutil.copytree(numerics.PACKAGE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(numerics, "PACKAGE", folder)
    numerics._declared.cache_clear()
    yield folder
    numerics._declared.cache_clear()


def raise_version(folder, part, n=2):
    path = folder.joinpath(*numerics.module(part).split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    assert "NUMERICS = 1\n" in path.read_text()
    path.write_text(path.read_text().replace("NUMERICS = 1\n", f"NUMERICS = {n}\n"))
    numerics._declared.cache_clear()


@pytest.mark.parametrize("part", numerics.parts())
def test_every_part_declares_a_version(part):
    assert numerics.version(part) >= numerics.FIRST


def test_a_plugin_without_a_version_is_refused(package):
    path = package / "models" / "alexnet.py"
    path.write_text(path.read_text().replace("NUMERICS = 1\n", ""))
    numerics._declared.cache_clear()
    with pytest.raises(LookupError, match="declares no NUMERICS"):
        numerics.version("network.alexnet")


def test_a_raise_is_seen_by_the_stages_that_go_through_the_part_and_no_other(package):
    def stages(part):
        return {stage for stage, spec in SPECIFICATIONS.items() if part in numerics.of_stage(stage, spec)}

    assert stages("network.alexnet") == {"homogeneity", "train", "flow", "measure", "probe"}
    assert stages("network.densenet") == set()
    assert stages("flow.proximal") == {"flow"}
    assert stages("dual") == {"flow"} and stages("cut_dual") == {"problem"}  # of `proximal` and of `bundle`
    assert stages("measure.path") == {"measure"}
    assert stages("hard_margin") == {"problem"}
    assert stages("tail_statistics") == {"claim", "calibrate"}
    before = numerics.of_stage("flow", NETWORK)
    raise_version(package, "dual")
    assert numerics.moved(before, numerics.of_stage("flow", NETWORK)) == ["dual"]
    assert numerics.moved(before, numerics.of_stage("train", NETWORK)) == []


def test_a_part_that_is_new_makes_nothing_stale_until_it_is_raised():
    recorded = {"flow": 1}
    assert numerics.moved(recorded, {"flow": 1, "landing": 1}) == []
    assert numerics.moved(recorded, {"flow": 1, "landing": 2}) == ["landing"]
    assert numerics.moved({"flow": 2, "gone": 3}, {"flow": 2}) == []
    assert numerics.raised({"flow": 1, "landing": 2}) == {"landing": 2}


def test_an_artifact_is_as_old_as_the_oldest_thing_it_was_made_from():
    assert numerics.oldest({"losses": 1, "flow": 3}, {"losses": 2}) == {"flow": 3, "losses": 1}


# Nothing that moves numbers is forgotten: imports, read here and nowhere else, are held against what is declared ------


def imports(name: str) -> set[str]:
    """The modules below dirconv that a module imports, anywhere in its text but for type checking."""
    path = numerics.PACKAGE.joinpath(*name.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if not path.is_file():
        return set()
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    below = {name.removeprefix("dirconv.") for name in names if name.startswith("dirconv.")}
    return {name for name in below if exists(name)}


def exists(name: str) -> bool:
    path = numerics.PACKAGE.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


MODULES = {numerics.module(part): part for part in numerics.parts()}


def reached(name: str) -> set[str]:
    """The parts that a module reaches by imports, not looking behind them."""
    seen, found, waiting = set(), set(), sorted(imports(name))
    while waiting:
        here = waiting.pop()
        if here in seen or here == name:
            continue
        seen.add(here)
        if here in MODULES:
            found.add(MODULES[here])
        else:
            waiting.extend(imports(here))
    return found


# what `numerics.of_stage` names beside a plugin itself
NETWORK_PARTS = {"split", "initial_weights", "losses", "margin_map"}
BY_STAGE = {
    "flow": {*NETWORK_PARTS, "flow"},
    "training": NETWORK_PARTS,
    "measure": {*NETWORK_PARTS, "trajectory"},
    "probe": {*NETWORK_PARTS, "trajectory"},
    "rule": {"judging"},
    "figure": {"figure_sources"},
}
IN_ALL = {"losses", "margin_map", "judging", "flow"}  # shared parts that reach these are gone through with them


@pytest.mark.parametrize("part", numerics.parts())
def test_a_part_declares_the_parts_that_its_code_reaches(part):
    """One that is missing here would not be rerun when that part moves: add it to the module's GOES_THROUGH."""
    module = numerics.module(part)
    own = {MODULES[package] for package in parents(module) if package in MODULES}
    stage = BY_STAGE.get(part.partition(".")[0], set()) if "." in part or part == "training" else IN_ALL
    missing = reached(module) - set(numerics.through(part)) - own - stage
    assert not missing, f"{module}: GOES_THROUGH lacks {sorted(missing)}"


def parents(name: str) -> set[str]:
    """The packages that hold a module."""
    pieces = name.split(".")
    return {".".join(pieces[:k]) for k in range(1, len(pieces))}
