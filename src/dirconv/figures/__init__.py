"""Figures: tables in, picture out. Each module is one figure, found by its name.

A module declares what it reads and shows, `FIGURE = Figure(tables=…)`, and has `draw(sources)`, which returns the
picture and, in long form, the data it shows. Guides (reference slopes, thresholds) are not data. The module's docstring
is its caption on the audit page. Plotting libraries are imported inside functions, so that listing a study's figures
costs nothing.

Curves of the flow begin where ℒ < ℓ(0) first holds; τ and ζ count from there. A run that never gets there is left out
unless the figure says that it shows it.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Container, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from dirconv.figures import _style as style
from dirconv.losses import LN_AT_ZERO

if TYPE_CHECKING:  # plotting libraries and pandas take seconds, and a study's figures are listed without them
    import pandas as pd
    from matplotlib.figure import Figure as Picture

NUMERICS = 1
GOES_THROUGH = ("figure_style",)
__all__ = ["Column", "Drawing", "Figure", "Source", "Table", "exponential_tails", "first_seeds", "frame", "positive",
           "separating", "stack", "style", "thin"]  # fmt: skip

Table: TypeAlias = "pd.DataFrame"
Column: TypeAlias = "pd.Series"
Drawing: TypeAlias = "tuple[Picture, pd.DataFrame]"
POINTS = 400  # most points of a curve
NAMES = {
    "alexnet": "AlexNet",
    "densenet": "DenseNet",
    "resnet": "ResNet",
    "squared_relu": "squared ReLU",
    "planar": "shallow ReLU",
    "mexican_hat": "Mexican hat",
    # problems whose runs have names that say enough
    "dense": "",
    "dense_losses": "",
    "dense_descents": "",
    "homogeneous_map": "",
}


@dataclasses.dataclass(frozen=True)
class Figure:
    """What a figure's module reads, and which runs it shows.

    tables: tables of measures that it reads of every source.
    optional: tables that it reads of those sources that have them.
    problems: kinds of small problems that it shows; empty: it shows the study's networks.
    claimed: it shows what the claims that name it read, whether networks or problems.
    probes: with `claimed`, also these probes of the same runs.
    """

    tables: tuple[str, ...]
    optional: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    claimed: bool = False
    probes: tuple[str, ...] = ()

    def tables_in(self, stored: Container[str]) -> tuple[str, ...]:
        """The tables to read of a source that has those in `stored`."""
        return (*self.tables, *(table for table in self.optional if table in stored))


@dataclasses.dataclass(frozen=True)
class Source:
    """The measures of one run and seed (or of one homogeneity check)."""

    member: str  # folder below measures/, e.g. alexnet/seed0
    tables: dict[str, Table]  # by name
    record: dict[str, Any]  # the measures' manifest: specification, stop reason, …

    @property
    def specification(self) -> dict[str, Any]:
        """What was run."""
        return self.record["specification"]

    @property
    def run(self) -> str:
        """The run's name in its study."""
        return self.specification["run"]

    @property
    def seed(self) -> int:
        """The run's seed."""
        return self.specification["seed"]

    @property
    def degree(self) -> int | None:
        """The declared degree L, or None."""
        return self.specification["degree"]

    @property
    def ln_at_zero(self) -> float:
        """ln ℓ(0)."""
        return LN_AT_ZERO[self.record["specification"]["loss"]]

    @property
    def network(self) -> str:
        """The run's name in a legend: its network, and the rest of the run's name where that says more."""
        model = self.specification["model"]["name"]
        name = NAMES.get(model, model.replace("_", " "))
        more = self.run.removeprefix(model).strip("_-").replace("_", " ")
        return f"{name} ({more})" if name and more else name or more

    @property
    def short_name(self) -> str:
        """The run's name in a panel's title: a small problem's activation, where it has one."""
        name = self.specification.get("problem", {}).get("activation", self.network)
        return name.replace("_", " ").replace("relu", "ReLU")

    @property
    def identity(self) -> dict[str, Any]:
        """Columns that say which run and seed a row belongs to."""
        return {"run": self.run, "network": self.network, "seed": self.seed}

    @functools.cached_property
    def path(self) -> Table:
        """The steps from the first with ℒ < ℓ(0), τ and ζ counted from there, with log_inverse_risk = ln(1/ℒ)."""
        path = self.tables["path"]
        path = path[path["below"].cummax()].copy()
        for column in ("tau", "zeta"):
            path[column] -= path[column].iloc[0] if len(path) else 0.0
        return path.assign(log_inverse_risk=-path["ln_risk"])

    def snapshots(self, table: str) -> Table:
        """The rows of a snapshots' table from the first with ℒ < ℓ(0), with log_inverse_risk.

        τ counts from that step if the path is among the tables.
        """
        rows = self.tables[table]
        rows = rows[(rows["ln_risk"] < self.ln_at_zero).cummax()].copy()
        if "path" in self.tables:
            path = self.tables["path"]
            rows["tau"] -= path.loc[path["below"].cummax(), "tau"].min()
        return rows.assign(log_inverse_risk=-rows["ln_risk"])

    def part(self, rows: Table, quantity: str, value: Any = None, **columns: Any) -> Table:
        """`rows` as a part of a figure's data, with the columns `quantity` and `value`, the run's identity and more.

        `value` is by default the column called like the quantity, or else the one called `value`.
        """
        value = rows[quantity if quantity in rows else "value"] if value is None else value
        return rows.assign(quantity=quantity, value=value, **columns, **self.identity)

    def number(self, quantity: str, value: float, **columns: Any) -> Table:
        """A part of one row."""
        return self.part(frame(value=[value]), quantity, **columns)

    def select(self, table: Table) -> Table:
        """The rows of a figure's data that belong to this run and seed."""
        return table[(table["run"] == self.run) & (table["seed"] == self.seed)]


def separating(sources: Iterable[Source], table: str) -> list[Source]:
    """The sources whose `table` has a row with ℒ < ℓ(0), where every training example is classified."""
    return [source for source in sources if (source.tables[table]["ln_risk"] < source.ln_at_zero).any()]


def exponential_tails(sources: Iterable[Source]) -> list[Source]:
    """The sources without those of the polynomial loss, of which the paper's theorems say nothing."""
    return [source for source in sources if source.specification["loss"] != "polynomial"]


def first_seeds(sources: Iterable[Source]) -> list[Source]:
    """The lowest seed of each run, in the runs' order."""
    lowest: dict[str, Source] = {}
    for source in sources:
        if source.run not in lowest or source.seed < lowest[source.run].seed:
            lowest[source.run] = source
    return list(lowest.values())


def positive(table: Table, *columns: str) -> Table:
    """The rows that logarithmic axes can show: those with all of `columns` above zero."""
    return table[(table[list(columns)] > 0).all(axis=1)]


def thin(table: Table, column: str, limit: int = POINTS) -> Table:
    """At most `limit` rows of a curve: its ends, and the lowest and highest `column` of each stretch between them.

    Taking every n-th row would suit a smooth curve, but of one that alternates it would show one branch. Half of the
    stretches are evenly spaced; the other half are geometric, for a curve's start on logarithmic axes.
    """
    if len(table) <= limit:
        return table
    values = table[column].to_numpy(dtype=float)
    keep = {0, len(table) - 1}
    half = (limit - 2) // 4
    edges = np.r_[np.linspace(0, len(table), half + 1), np.geomspace(1, len(table), half)].round().astype(int)
    for stretch in np.split(np.arange(len(table)), np.unique(edges)[1:-1]):
        finite = stretch[np.isfinite(values[stretch])]
        if len(finite):
            keep |= {int(finite[values[finite].argmin()]), int(finite[values[finite].argmax()])}
    return table.iloc[sorted(keep)]


def frame(**columns: Any) -> Table:
    """A table of these columns."""
    import pandas as pd

    return pd.DataFrame(columns)


def stack(parts: list[Table], columns: list[str]) -> Table:
    """The parts below each other, with just these columns; no rows if there is no part."""
    import pandas as pd

    parts = [part.reindex(columns=columns) for part in parts if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
