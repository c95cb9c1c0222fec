"""What figures of many seeds share: the median over a run's seeds, with a band from the least to the greatest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dirconv.claims.statistics import secants
from dirconv.figures import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from dirconv.figures import Source


def grid(table: pd.DataFrame, x: str, y: str, at: np.ndarray) -> pd.DataFrame:
    """One seed's y at given x (both logarithmic or neither is the caller's choice); NaN outside its range."""
    import pandas as pd

    known = table[[x, y]].dropna().sort_values(x)
    if known.empty:
        return pd.DataFrame({x: at, y: np.nan})
    return pd.DataFrame({x: at, y: np.interp(at, known[x], known[y], left=np.nan, right=np.nan)})


def band(axes: Axes, table: pd.DataFrame, x: str, y: str, palette: dict[str, Any], by: str = "run", **options) -> None:
    """Median and range of y over seeds at every x, a colour for each value of `by`; x has to be common to the seeds.

    Left out where fewer than half as many seeds are known as elsewhere.
    """
    known = table.dropna(subset=[y])
    if known.empty:
        style.empty(axes, "nothing to show")
        return
    for name, rows in known.groupby(by, sort=False):
        found = rows.groupby(x)[y].agg(["median", "min", "max", "count"])
        found = found[found["count"] >= found["count"].max() / 2]  # a median of few would jump from seed to seed
        axes.plot(found.index, found["median"], color=palette[name], linewidth=1.2, **options)
        axes.fill_between(found.index, found["min"], found["max"], color=palette[name], alpha=0.2, linewidth=0)


def points(axes: Axes, table: pd.DataFrame, x: str, y: str, palette: dict[str, Any], by: str = "run") -> None:
    """A point a row, and the median of each group, at the groups' places along the axis."""
    names = list(dict.fromkeys(table[x]))
    for place, name in enumerate(names):
        rows = table[table[x] == name]
        colour = palette[rows[by].iloc[0]]
        shift = np.linspace(-0.15, 0.15, len(rows)) if len(rows) > 1 else [0.0]
        axes.plot(place + np.asarray(shift), rows[y], "o", color=colour, markersize=2.8, alpha=0.8, markeredgewidth=0)
        axes.plot([place - 0.28, place + 0.28], [rows[y].median()] * 2, color=colour, linewidth=1.4)
    axes.set_xticks(range(len(names)), [str(name).replace("_", " ") for name in names], rotation=30, ha="right")
    axes.set_xlim(-0.6, len(names) - 0.4)


def speeds(source: Source) -> pd.DataFrame:
    """dζ/dτ by secants, twelve to a decade of τ: columns tau, speed."""
    import pandas as pd

    path = source.path
    middle, speed, _ = secants(path["tau"].to_numpy(), path["zeta"].to_numpy())
    return pd.DataFrame({"tau": middle, "speed": speed})


def log_spaced(first: float, last: float, count: int = 60) -> np.ndarray:
    """Places along a logarithmic axis."""
    return np.geomspace(first, last, count) if 0 < first < last else np.array([last])


def short(source: Source) -> str:
    """A problem's run in a panel's title: its activation where it has one."""
    problem = source.record["specification"].get("problem", {})
    return problem.get("activation", source.network).replace("_", " ").replace("relu", "ReLU")
