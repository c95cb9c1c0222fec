"""Figures: tables in, picture out. Each module is one figure, found by its name.

A module states the tables of measures that it reads (`TABLES`) and has `draw(sources)`, which answers the figure and
the very data that it shows, in long form; guides (reference slopes, thresholds) are not data. The plotting libraries
are imported where they are used, so that naming the figures of a study costs nothing. A figure of small problems
whose answer is known names their kinds (`PROBLEMS`); one with `CLAIMED` shows what the claims that name it read, with
these runs' `PROBES`; another shows the study's networks. `OPTIONAL` tables are read where a member has them.

Curves of the flow begin where ℒ < ℓ(0) first holds, and τ and ζ count from there; a run that never gets there is
left out, unless the figure says that it shows it.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from dirconv.figures import _style as style
from dirconv.losses import LN_AT_ZERO

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Source", "first_seeds", "positive", "reached", "stack", "style", "thin"]

POINTS = 400  # of a curve, at most
NAMES = {
    "alexnet": "AlexNet",
    "densenet": "DenseNet",
    "resnet": "ResNet",
    "squared_relu": "squared ReLU",
    "planar": "shallow ReLU",
    "mexican_hat": "Mexican hat",
    # problems whose runs' own names say all
    "dense": "",
    "dense_losses": "",
    "dense_descents": "",
    "homogeneous_map": "",
}


@dataclasses.dataclass(frozen=True)
class Source:
    """The measures of one run and seed (or of one homogeneity check)."""

    member: str  # folder below measures/, e.g. alexnet/seed0
    tables: dict[str, pd.DataFrame]  # by the names in the figure's TABLES
    record: dict[str, Any]  # the measures' manifest: specification, stop reason, …

    @property
    def run(self) -> str:
        """The run's name in its study."""
        return self.record["specification"]["run"]

    @property
    def seed(self) -> int:
        """Of the run."""
        return self.record["specification"]["seed"]

    @property
    def degree(self) -> int | None:
        """The declared degree L, or None."""
        return self.record["specification"]["degree"]

    @property
    def ln_at_zero(self) -> float:
        """ln ℓ(0)."""
        return LN_AT_ZERO[self.record["specification"]["loss"]]

    @property
    def network(self) -> str:
        """What the run is called in a legend: its network, and its own name where that says more."""
        model = self.record["specification"]["model"]["name"]
        name = NAMES.get(model, model.replace("_", " "))
        more = self.run.removeprefix(model).strip("_-").replace("_", " ")
        return f"{name} ({more})" if name and more else name or more

    @property
    def identity(self) -> dict[str, Any]:
        """Columns that say whose a row is."""
        return {"run": self.run, "network": self.network, "seed": self.seed}

    @functools.cached_property
    def path(self) -> pd.DataFrame:
        """The steps from the first at which ℒ < ℓ(0), τ and ζ counted from there, with log_inverse_risk = ln(1/ℒ)."""
        path = self.tables["path"]
        path = path[path["below"].cummax()].copy()
        for column in ("tau", "zeta"):
            path[column] -= path[column].iloc[0] if len(path) else 0.0
        return path.assign(log_inverse_risk=-path["ln_risk"])

    def snapshots(self, table: str) -> pd.DataFrame:
        """A table with a row (or several) a snapshot, likewise; τ is recounted where the path is among the tables."""
        rows = self.tables[table]
        rows = rows[(rows["ln_risk"] < self.ln_at_zero).cummax()].copy()
        if "path" in self.tables:
            whole = self.tables["path"]
            rows["tau"] -= whole.loc[whole["below"].cummax(), "tau"].min()
        return rows.assign(log_inverse_risk=-rows["ln_risk"])


def reached(sources: Iterable[Source], table: str) -> list[Source]:
    """Those whose `table` has a row at which ℒ < ℓ(0)."""
    return [source for source in sources if (source.tables[table]["ln_risk"] < source.ln_at_zero).any()]


def first_seeds(sources: Iterable[Source]) -> list[Source]:
    """The lowest seed of each run, in the runs' order."""
    found: dict[str, Source] = {}
    for source in sources:
        if source.run not in found or source.seed < found[source.run].seed:
            found[source.run] = source
    return list(found.values())


def positive(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """The rows that logarithmic axes can show: those with all of `columns` above zero."""
    return table[(table[list(columns)] > 0).all(axis=1)]


def thin(table: pd.DataFrame, column: str, limit: int = POINTS) -> pd.DataFrame:
    """At most `limit` rows of a curve: its ends, and between them the lowest and highest `column` of equal stretches.

    Every n-th row would do for a smooth curve, but would show one branch of one that alternates. Half of the
    stretches are evenly spaced, half geometrically, for the sake of a curve's start on logarithmic axes.
    """
    if len(table) <= limit:
        return table
    values = table[column].to_numpy(dtype=float)
    keep = {0, len(table) - 1}
    half = (limit - 2) // 4
    edges = np.r_[np.linspace(0, len(table), half + 1), np.geomspace(1, len(table), half)].round().astype(int)
    for stretch in np.split(np.arange(len(table)), np.unique(edges)[1:-1]):
        known = stretch[np.isfinite(values[stretch])]
        if len(known):
            keep |= {int(known[values[known].argmin()]), int(known[values[known].argmax()])}
    return table.iloc[sorted(keep)]


def stack(parts: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """The parts below each other, with just these columns; no rows where there is no part."""
    import pandas as pd

    parts = [part.reindex(columns=columns) for part in parts if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
