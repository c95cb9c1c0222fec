"""Small problems whose answer is known: each is followed from many seeds in one process, and held against an oracle.

A problem is one module with a `Spec` (its options, its degree and loss), `TABLES` (the names of the tables that it
answers with, `path` among them, whose columns are those of the measure of that name) and `follow(spec, seeds)`, which
answers a `Followed` for each seed. Data, start and flow depend on the seed alone, not on which others run beside it
(up to rounding). Everything is float64 on the CPU.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Protocol

from dirconv.options import member, parse

if TYPE_CHECKING:
    import pandas as pd


class Spec(Protocol):
    """What a problem's `Spec` offers."""

    name: str
    degree: int  # L
    loss: str
    data: str  # what it is posed on, in words


@dataclasses.dataclass(frozen=True)
class Followed:
    """One seed's run."""

    tables: dict[str, pd.DataFrame]  # by the names in the problem's TABLES
    stop: str  # why its flow ended, as `dirconv.flow.StopReason` has it


def specification(options: dict[str, Any], where: str) -> Spec:
    """The validated options of the problem that `options["name"]` names; UserError naming the key otherwise."""
    module = member("problems", options.get("name", ""), f"{where}.name")
    return parse(module.Spec, options, where)


def tables(name: str) -> tuple[str, ...]:
    """The tables that the problem of that name answers with."""
    return member("problems", name, "problem").TABLES


def from_options(options: dict[str, Any]) -> Spec:
    """The same from options that have been validated already (needs no pydantic)."""
    return member("problems", options["name"], "problem").Spec(**options)
