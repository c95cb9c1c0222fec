"""Where the network looks, and how far that still moves: input gradients along the flow, and their angles.

(a) The first run (its lowest seed), one row per training image: the largest |∂p/∂x| over the channels at each pixel,
scaled by its largest value. Columns are the first snapshot and others spaced in ln τ, over a factor of 300, up to the
last. Under each map is the angle between its gradient and the last snapshot's, zero at the end by construction. (b)
Every run: the angle between the gradients at successive snapshots, with the median over examples (thick) and the range.
Snapshots at the τ where runs are compared lie close to others, so the angles to and from them are small. Where a ReLU
or a maximum switches, an input gradient jumps, however little the weights move. Axes are logarithmic: τ = 0 and angles
of exactly zero are left out.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dirconv.figures import (
    Column,
    Drawing,
    Figure,
    Source,
    Table,
    first_seeds,
    positive,
    separating,
    stack,
    style,
    thin,
)

NUMERICS = 1
FIGURE = Figure(tables=("path", "saliency"))
COLUMNS = ["run", "network", "seed", "quantity", "example", "snapshot", "tau", "value"]
SNAPSHOTS = 6
TAU_FACTOR = 300.0  # last τ over the earliest one pictured, apart from the first snapshot; the docstring says it too
OVER_EXAMPLES = {"median": "median", "least": "min", "most": "max"}
ALL_EXAMPLES = -1  # in the column `example`


def _snapshots(tau: Column) -> list[int]:
    """SNAPSHOTS of those with pictures, by τ: the first, the last, and log-spaced ones between them."""
    later = np.log(tau[(tau > 0) & (tau >= tau.max() / TAU_FACTOR)])
    if later.empty:
        return [tau.index[0]]
    wanted = np.linspace(later.iloc[0], later.iloc[-1], SNAPSHOTS - 1)
    return sorted({tau.index[0]} | {int((later - level).abs().idxmin()) for level in wanted})


def _pictures(source: Source) -> Table:
    """The rows shown as maps, with their place in the grid: `row` by example, `column` by snapshot."""
    rows = source.snapshots("saliency").dropna(subset=["picture"])
    chosen = _snapshots(rows.groupby("snapshot")["tau"].first()) if len(rows) else []
    rows = rows[rows["snapshot"].isin(chosen)]
    return rows.assign(row=rows["example"].rank(method="dense"), column=rows["snapshot"].rank(method="dense"))


def _moved(source: Source) -> Table:
    """The angle moved since the previous snapshot: a row a snapshot and quantity of OVER_EXAMPLES."""
    import pandas as pd

    statistics = {"tau": "first", "moved": list(OVER_EXAMPLES.values())}
    angles = source.snapshots("saliency").groupby("snapshot").agg(statistics)
    angles.columns = ["tau", *OVER_EXAMPLES]
    parts = [source.part(angles, name, example=ALL_EXAMPLES).reset_index() for name in OVER_EXAMPLES]
    moved = positive(pd.concat(parts), "tau", "value")
    return pd.concat([thin(part, "value") for _, part in moved.groupby("quantity")]) if len(moved) else moved


def _grid(picture: Any, source: Source, rows: Table) -> None:
    """The maps: a row an image, a column a snapshot."""
    axes = picture.subplots(int(rows["row"].max()), int(rows["column"].max()), squeeze=False)
    for panel in axes.flat:
        panel.set(xticks=[], yticks=[], frame_on=False)
    for row in rows.itertuples(index=False):
        panel = axes[int(row.row) - 1, int(row.column) - 1]
        pixels = np.asarray(row.picture, dtype=np.uint8)
        panel.imshow(pixels.reshape(math.isqrt(len(pixels)), -1), cmap="magma", vmin=0, vmax=255)
        panel.set_xlabel(f"{row.to_last:.2f} rad", fontsize=6, labelpad=1.5)
    for column, tau in rows.groupby("column")["tau"].first().items():
        axes[0, int(column) - 1].set_title(rf"$\tau$ = {tau:.2g}", loc="center")
    title = rf"(a) {source.network}: input gradients $|\partial p/\partial x|$"
    picture.suptitle(title, x=0.01, ha="left", fontsize=8)


def draw(sources: list[Source]) -> Drawing:
    """The picture, and its data: a row a map (its `to_last`; its pixels are the measure's) or a point, in rad."""
    palette = style.colours(source.run for source in sources)
    shown = separating(sources, "saliency")
    first = next(iter(first_seeds(shown)), None)
    pictures = _pictures(first) if first else ()
    parts = [first.part(pictures, "to_last")] if len(pictures) else []
    table = stack([*parts, *(_moved(source) for source in shown)], COLUMNS)

    height = 0.3 + 1.0 * pictures["row"].max() if len(pictures) else 0.0
    picture = style.picture_of_height(height + 2.7)
    below = picture
    if height:
        above, below = picture.subfigures(2, 1, height_ratios=[height, 2.7])
        _grid(above, first, pictures)
    panel = below.subplots()
    curves = table[table["quantity"].isin(list(OVER_EXAMPLES))]
    if curves.empty:
        style.empty(panel, "nothing to show" if shown else style.NO_START)
    for (run, _), of_seed in curves.groupby(["run", "seed"], sort=False):
        by_name = {name: of_seed[of_seed["quantity"] == name] for name in OVER_EXAMPLES}
        for name, curve in by_name.items():
            look = style.DOTS if name == "median" else {"linewidth": 0.4}
            panel.plot(curve["tau"], curve["value"], color=palette[run], **look)
        both = by_name["least"].merge(by_name["most"], on="tau")
        panel.fill_between(both["tau"], both["value_x"], both["value_y"], color=palette[run], alpha=0.12, linewidth=0)
    style.log(panel, x=True, y=True)
    title = "angle between an input gradient at successive snapshots: median and range over examples"
    panel.set(title=f"(b) {title}" if height else title, xlabel=style.TAU, ylabel="angle moved (rad)")
    style.finished(below, [], shown, palette)  # lettered above, since (a) is a grid of panels
    return picture, table
