"""The environment is written down three times (pyproject.toml, requirements.lock, environment.yml), always the same."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONDA_NAMES = {"torch": "pytorch"}  # where conda's name is not the one in pyproject.toml


def name_of(requirement: str) -> str:
    """The normalized name at the start of a requirement."""
    return re.match(r"[A-Za-z0-9._-]*[A-Za-z0-9]", requirement)[0].lower().replace("_", "-").replace(".", "-")


def pins(lines: list[str]) -> dict[str, str]:
    """Name → version of `name==version` lines; a name may stand only once, whatever its markers."""
    found = {}
    for line in lines:
        match = re.match(r"([A-Za-z0-9._-]+)==([^\s;\\]+)", line)
        assert match, f"not an exact version: {line}"
        name = name_of(match[1])
        assert name not in found, f"{name} is pinned twice"
        found[name] = match[2]
    return found


CONSTRAINTS = pins(PROJECT["tool"]["uv"]["constraint-dependencies"])
BLOCKS = re.split(r"\n(?=[A-Za-z0-9])", (ROOT / "requirements.lock").read_text().strip())  # one for each package
DIRECT = {
    name_of(requirement) for requirement in [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]
}
EXTRAS = {name_of(each) for extra in PROJECT["project"]["optional-dependencies"].values() for each in extra}
EXTRAS |= {name_of(each) for each in PROJECT["dependency-groups"]["docs"]}  # not in conda's environment either


def test_lock_and_constraints_pin_the_same_versions():
    assert pins(BLOCKS) == CONSTRAINTS


def test_every_direct_dependency_is_pinned():
    assert CONSTRAINTS.keys() >= DIRECT | EXTRAS


def test_pins_satisfy_the_lower_bounds():
    for requirement in PROJECT["project"]["dependencies"]:
        bound = re.search(r">=([\d.]+)$", requirement)
        if bound:
            pinned = CONSTRAINTS[name_of(requirement)]
            assert [int(part) for part in pinned.split(".")] >= [int(part) for part in bound[1].split(".")], requirement


def test_build_dependencies_are_pinned():
    constraints = pins(PROJECT["tool"]["uv"]["build-constraint-dependencies"])
    assert pins(PROJECT["build-system"]["requires"]).items() <= constraints.items()


@pytest.mark.parametrize("block", BLOCKS, ids=name_of)
def test_every_package_of_the_lock_has_hashes(block):
    first, *rest = block.splitlines()
    assert first.endswith("\\")
    assert rest
    assert all(re.fullmatch(r" {4}--hash=sha256:[0-9a-f]{64}( \\)?", line) for line in rest)


def test_conda_environment_has_every_direct_dependency_at_its_version():
    entries = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    found = dict(re.fullmatch(r"([a-z0-9-]+) ==(\S+)", entry).groups() for entry in entries if "==" in entry)
    assert found == {CONDA_NAMES.get(name, name): CONSTRAINTS[name] for name in DIRECT}


def test_conda_environment_has_the_same_python_and_installs_the_project():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["channels"][:2] == ["conda-forge", "bioconda"]
    newest = max(int(c.rsplit(".", 1)[1]) for c in PROJECT["project"]["classifiers"] if "Python :: 3." in c)
    python = f"python {PROJECT['project']['requires-python']},<3.{newest + 1}"  # the versions that are supported
    assert python in environment["dependencies"]
    assert {"pip": ["-e ."]} in environment["dependencies"]


@pytest.mark.parametrize("name", ["pyproject.toml", "requirements.lock", "environment.yml"])
def test_no_file_names_a_host(name):
    text = (ROOT / name).read_text()
    assert not re.search(r"[a-z+]+://|--(extra-)?index-url|--find-links", text)


def test_uv_lock_is_not_committed():
    assert "uv.lock" in (ROOT / ".gitignore").read_text().splitlines()
    if (ROOT / ".git").exists() and shutil.which("git"):
        # git refuses to list another user's clone, and then names no file
        tracked = subprocess.run(["git", "ls-files", "uv.lock"], cwd=ROOT, capture_output=True, text=True, check=False)
        assert not tracked.stdout


def test_version_is_one():
    import dirconv

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert dirconv.__version__ == PROJECT["project"]["version"] == citation["version"]
    assert f"[{dirconv.__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_git_changes_no_bytes_whatever_core_autocrlf_says():
    """Checksums are of bytes; a line end that git rewrites would fail them."""
    lines = (ROOT / ".gitattributes").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == ["* -text"]


def test_every_pinned_package_is_listed_with_its_licence():
    """docs/licences.md is made by benchmarks/licences.py."""
    rows = re.findall(r"^\| (\S+) \| (\S+) \| (?:yes)? ?\| (.+) \|$", (ROOT / "docs" / "licences.md").read_text(), re.M)
    listed = {name_of(name): version for name, version, _ in rows if name not in ("package", "---")}
    assert listed == CONSTRAINTS
    assert {name_of(name) for name, _, licence in rows if licence.startswith("not ")}.isdisjoint(
        DIRECT - {"hypothesis"}
    )


def test_no_system_is_promised_on_which_the_package_cannot_be_imported():
    """fcntl is there on POSIX systems only."""
    assert "import fcntl" in (ROOT / "src" / "dirconv" / "stages" / "_lock.py").read_text()
    systems = [each for each in PROJECT["project"]["classifiers"] if each.startswith("Operating System")]
    assert systems == ["Operating System :: POSIX"]
