"""Small problems whose answer is known: each follows the flow from many seeds and compares its limit with an oracle.

A problem is one module with

`Spec`                 its options, its degree and loss
`TABLES`               the names of the tables that it returns; `path` is among them, with the measure `path`'s columns
`follow(spec, seeds)`  a `Followed` for each seed

A seed's data, start and flow depend on that seed alone, up to rounding. Everything is float64 on the CPU.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Protocol

from dirconv.options import parse, plugin

if TYPE_CHECKING:
    import pandas as pd


class Spec(Protocol):
    """What a problem's `Spec` offers."""

    name: str
    degree: int  # L
    loss: str
    data: str  # its data, in words


@dataclasses.dataclass(frozen=True)
class Followed:
    """The tables of one seed."""

    tables: dict[str, pd.DataFrame]  # by the names in the problem's TABLES
    stop: str  # why its flow ended: a `dirconv.flow.StopReason`


def specification(options: dict[str, Any], where: str) -> Spec:
    """The options of the problem that `options["name"]` names, validated; UserError names a wrong key."""
    module = plugin("problems", options.get("name", ""), f"{where}.name")
    return parse(module.Spec, options, where)


def tables(name: str) -> tuple[str, ...]:
    """The tables that the problem of that name answers with."""
    return plugin("problems", name, "problem").TABLES


def from_options(options: dict[str, Any]) -> Spec:
    """The same from options that were validated before; needs no pydantic."""
    return plugin("problems", options["name"], "problem").Spec(**options)
