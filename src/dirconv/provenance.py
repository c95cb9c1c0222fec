"""Where a result comes from: the code it depends on, the versions and the machine it ran with.

`code_hash` makes the cache honest. It hashes the code of every dirconv module that a stage imports, directly
or through others, so an edit anywhere in that chain changes it. Comments, docstrings and layout do not count:
they cannot change a result, and a GPU study must not be recomputed for a corrected sentence. Nor must it be for a new
option that it does not use: code that has been shown to compute the same is known by its predecessor's hash
(`equivalent.toml`, which says how it was shown).
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import io
import os
import platform
import tokenize
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dirconv

PACKAGE = Path(__file__).parent
VERSIONED = ("torch", "torchvision", "numpy", "pandas", "pyarrow", "scipy", "scikit-learn", "snakemake")


def _file(module: str) -> Path | None:
    """The source file of a dirconv module, or None where there is none."""
    path = PACKAGE.joinpath(*module.split(".")[1:])
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@functools.cache
def imports(module: str) -> frozenset[str]:
    """The dirconv modules that `module` imports anywhere in its text, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(_file(module).read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(name for name in found if name.split(".")[0] == "dirconv" and _file(name))


@functools.cache
def _code(module: str) -> str:
    """A module's source without comments, docstrings and blank lines, the same under every Python version.

    A package's templates (Jinja) are code as well.
    """
    source = _file(module).read_text()
    lines = source.split("\n")
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(getattr(first.value, "value", None), str):
                lines[first.lineno - 1 : first.end_lineno] = [""] * (first.end_lineno - first.lineno + 1)
    templates = sorted(_file(module).parent.glob("*.j2")) if _file(module).name == "__init__.py" else []
    return "\n".join([line.rstrip() for line in lines if line.strip()] + [path.read_text() for path in templates])


def closure(*modules: str) -> list[str]:
    """The given modules and all dirconv modules they import, directly or through others, sorted."""
    seen: set[str] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            waiting.extend(imports(module))
            waiting.extend(filter(None, [module.rpartition(".")[0]]))  # its package is imported before it
    return sorted(seen)


def code_hash(*modules: str) -> str:
    """Hash (16 hexadecimal digits) over the code of the modules' import closure, or of the code it is equivalent to.

    The package's own ``__init__`` holds only the version; it is left out, so a release alone changes nothing.
    """
    text = hashlib.sha256()
    for module in closure(*modules):
        if module != "dirconv":
            text.update(f"{module}\n{_code(module)}\n".encode())
    found = text.hexdigest()[:16]
    return equivalents().get(found, found)


@functools.cache
def equivalents() -> dict[str, str]:
    """Of code that computes what earlier code did: its hash, and the hash that it goes by. See `equivalent.toml`."""
    changes = tomllib.loads((PACKAGE / "equivalent.toml").read_text())["change"]
    return {new: old for change in changes for new, old in change["codes"].items()}


def _processor() -> str:
    """The processor's name, as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def machine(device: str = "cpu") -> dict[str, Any]:
    """The machine in words: processor, cores, system, Python, device used."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        cores = os.cpu_count()
    return {
        "processor": _processor(),
        "cores": cores,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "device": device,
    }


def versions() -> dict[str, str]:
    """Versions of the packages that can move a number; absent packages are left out."""
    found = {name: _version(name) for name in VERSIONED}
    return {"dirconv": dirconv.__version__, **{name: version for name, version in found.items() if version}}


@functools.cache
def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def now() -> str:
    """The time, UTC, to the second, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")
