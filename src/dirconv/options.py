"""Options: how a mapping from a study file becomes a typed value, and how a name finds the module that serves it.

A study names (`source`, `model`, `method`, …) what open registries serve: each data source, network, flow method,
rule and figure is one module of its package, found by its name, and its `Spec` dataclass says what may be
configured. `parse` validates any of them and says in one line what is wrong. Only the workflow's side needs
pydantic for that; a job reads plain JSON that has been validated already (`dirconv resolve`).
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import importlib
import json
import pkgutil
import re
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, TypeVar

from dirconv.errors import UserError

T = TypeVar("T")
LARGEST, DEEPEST, MOST, BITS = 2**23, 50, 100_000, 64  # of a YAML file: bytes, nesting, values, of a whole number


@typing.dataclass_transform(frozen_default=True, kw_only_default=True)
def configurable(kind: type[T]) -> type[T]:
    """A frozen dataclass of options, given by keyword; `parse` refuses unknown keys and inexact types."""
    kind.__pydantic_config__ = {"extra": "forbid", "strict": True}
    return dataclasses.dataclass(frozen=True, kw_only=True)(kind)


def added(default: Any) -> Any:
    """A field of options that was added after results had been committed: `written` leaves it out at its default."""
    return dataclasses.field(default=default, metadata={"added": True})


def written(options: Any) -> dict[str, Any]:
    """The options as a specification holds them: without `added` ones at their defaults, so that old runs stay."""
    given = dataclasses.asdict(options)
    later = {field.name: field.default for field in dataclasses.fields(options) if "added" in field.metadata}
    return {key: value for key, value in given.items() if key not in later or value != later[key]}


def require_positive(options: Any, *names: str) -> None:
    """ValueError, naming the field, unless each of these fields is above zero."""
    for name in names:
        if not getattr(options, name) > 0:
            raise ValueError(f"{name}: must be above zero, got {getattr(options, name)}")


@configurable
class Train:
    """SGD with momentum from initialization until ℒ < ℓ(0), as practitioners run it (constant rate, no decay)."""

    learning_rate: float = 0.05
    momentum: float = 0.9
    batch: int = 100
    epochs: int = 400  # give up after this many; the run goes on, and its claims are inconclusive
    scale: float = 1.0  # factor on the initial weights of the network's convolutions and linear layers
    arithmetic: Literal["float32", "bfloat16"] = "float32"  # of the batches' gradients; never of a measured margin

    def __post_init__(self) -> None:
        require_positive(self, "learning_rate", "batch", "scale")
        if self.epochs < 0:
            raise ValueError(f"epochs: must not be negative, got {self.epochs}")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum: must be at least 0 and below 1, got {self.momentum}")


def modules(package: str) -> list[str]:
    """Names of the modules in `dirconv.<package>` that a study may name, without importing them."""
    folder = Path(__file__).parent.joinpath(*package.split("."))
    return sorted(m.name for m in pkgutil.iter_modules([str(folder)]) if not m.name.startswith("_"))


def plugin(package: str, name: str, where: str):
    """The module `dirconv.<package>.<name>`; UserError with the known names where there is none."""
    require_known(name, modules(package), where)
    return importlib.import_module(f"dirconv.{package}.{name}")


def require_known(name: object, known: Iterable[str], where: str, what: str = "") -> None:
    """UserError, with the known names, where `name` is none of them; what: 'run ', say, for the message."""
    if name not in known:
        raise UserError(f"{where}: unknown {what}{name!r}{did_you_mean(name, list(known))}")


def did_you_mean(name: object, known: list[str]) -> str:
    """'; did you mean …?' or the list of what is known."""
    near = difflib.get_close_matches(str(name), known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}"


def parse(kind: type[T], value: Any, where: str) -> T:
    """`value` (from YAML) as the dataclass `kind`; UserError with one line naming the key otherwise."""
    import pydantic

    if not isinstance(value, dict):
        raise UserError(f"{where}: expected a mapping of {', '.join(f.name for f in dataclasses.fields(kind))}")
    try:
        # JSON mode: strict about leaves (no "6" for 6), yet a mapping is accepted for a dataclass
        return _adapter(kind).validate_json(json.dumps(_plain(value), default=_number_or_text))
    except RecursionError as error:
        raise UserError(f"{where}: nested too deep; write it flatter") from error
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        path = [str(part) for part in first["loc"] if not (isinstance(part, str) and "[" in part)]
        key = ".".join([where, *path])
        if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
            known = _fields_at(kind, path[:-1])
            raise UserError(f"{key}: unknown key{did_you_mean(path[-1], known)}") from error
        if first["type"] in ("missing", "missing_argument", "missing_keyword_only_argument"):
            raise UserError(f"{key}: missing; add it") from error
        if first["type"] == "value_error":  # raised by a dataclass's own __post_init__, which names the field
            raise UserError(f"{key}.{first['ctx']['error']}") from error
        message = first["msg"][0].lower() + first["msg"][1:]
        raise UserError(f"{key}: {message}, got {first['input']!r}{_exponent(first['input'])}") from error


@functools.cache
def _adapter(kind: type):
    """What validates a dataclass: making it takes longer than using it."""
    import pydantic

    return pydantic.TypeAdapter(kind)


def _number_or_text(value: Any) -> Any:
    """What JSON does not know: one of NumPy's numbers as Python's, anything else as text."""
    return value.item() if hasattr(value, "dtype") and getattr(value, "ndim", None) == 0 else str(value)


def _exponent(value: Any) -> str:
    """YAML 1.1 reads 1e-5 as text."""
    written = isinstance(value, str) and re.fullmatch(r"[+-]?[\d.]+[eE][+-]?\d+", value)
    return "; YAML reads that as text: write a point and the exponent's sign, as in 1.0e-5" if written else ""


def _plain(value: Any) -> Any:
    """`value` with every key as text: YAML takes a date, say, for something else."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _fields_at(kind: type, path: list[str]) -> list[str]:
    """Field names of the dataclass that `path` leads to from `kind` (through dictionaries and optional fields)."""
    for part in path:
        if dataclasses.is_dataclass(kind):
            kind = typing.get_type_hints(kind).get(part, kind)
        else:
            kind = typing.get_args(kind)[-1]  # dict[str, X]
        for option in typing.get_args(kind):
            if dataclasses.is_dataclass(option) and typing.get_origin(kind) is not dict:
                kind = option
    return [f.name for f in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else []


def load_yaml(path: Path) -> Any:
    """A YAML file's content; UserError where it cannot be read, is not YAML, or holds a key twice in one mapping.

    Refused as well is what would fill memory or end the process: a file, a depth or a number that is too large, and
    aliases that stand for more than `MOST` values.
    """
    import yaml

    kind = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml: ten times faster
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST + 1)  # bytes: YAML is UTF-8 or says otherwise, whatever the locale
        if len(content) > LARGEST:
            raise UserError(f"{path}: larger than {LARGEST >> 20} MiB; name a study file or a registry")
        _refuse_depth(yaml.parse(content, Loader=kind), path)
        loader = kind(content)
        node = loader.get_single_node()
        if node is None:
            return None
        _refuse_keys_given_twice(loader, node, path)
        value = loader.construct_document(node)
        _refuse_excess(value, path)
        return value
    except FileNotFoundError as error:
        raise UserError(f"{path}: not found; name an existing file") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); name a readable file") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        line = " ".join(str(error).split())
        raise UserError(f"{path}: not valid YAML ({line})") from error


def _refuse_depth(events: Iterable[Any], path: Path) -> None:
    """UserError where collections are nested too deep: libyaml follows them by recursion, until the process ends."""
    import yaml

    depth = 0
    for event in events:
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            line = event.start_mark.line + 1
            raise UserError(f"{path}: line {line}: nested more than {DEEPEST} deep; write it flatter")


def _refuse_excess(value: Any, path: Path) -> None:
    """UserError for more values than any study has, an alias counted as what it stands for, and for huge numbers."""
    count, waiting = 0, [value]
    while waiting:
        value = waiting.pop()
        count += 1
        if count > MOST:
            raise UserError(f"{path}: more than {MOST} values, aliases counted as what they stand for; leave some out")
        if isinstance(value, dict):
            waiting += [*value, *value.values()]
        elif isinstance(value, list | tuple | set):
            waiting += value
        elif isinstance(value, int) and value.bit_length() > BITS:
            raise UserError(f"{path}: a whole number of more than {BITS} bits; write a smaller one")


def _refuse_keys_given_twice(loader: Any, node: Any, path: Path) -> None:
    """UserError where a mapping has a key twice, at any depth: of the two, all but the last would be lost."""
    import yaml

    seen, waiting = set(), [node]
    while waiting:
        node = waiting.pop()
        if id(node) in seen or isinstance(node, yaml.ScalarNode):  # an alias leads to the same node
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
            continue
        lines: dict[Any, int] = {}
        for key, value in node.value:
            waiting += [key, value]
            if not isinstance(key, yaml.ScalarNode):
                continue
            name, line = key.value, key.start_mark.line + 1
            same = name if key.tag == "tag:yaml.org,2002:merge" else loader.construct_object(key)
            aliases = {same, str(same)}  # 1 and 1.0 are one key, and so are 1 and "1": keys are read as text
            if first := next((lines[alias] for alias in aliases if alias in lines), None):
                twice = f"the key {name!r} is there twice, first in line {first}"
                raise UserError(f"{path}: line {line}: {twice}; keep one of them")
            lines |= dict.fromkeys(aliases, line)
