"""Does the direction's path have finite length? ζ against τ, and its speed dζ/dτ.

(a) The length ζ of the path of W/‖W‖. (b) Its speed by secants between τ's that are evenly spaced in ln τ, twelve to a
decade, so that the chatter of discrete steps averages out. A speed that falls like 1/τ or more slowly has an infinite
integral; the path is finite if the curve falls more steeply than the dashed line. A secant over which nothing moved
would not be drawn. (c) The same speed from chords between snapshots, which leave out jumps of steps to and fro.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dirconv.figures import Figure, _curves, separating, stack, style, thin

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Picture

    from dirconv.figures import Source

NUMERICS = 1
GOES_THROUGH = ("tail_statistics",)
FIGURE = Figure(tables=("path", "direction"))
COLUMNS = ["run", "network", "seed", "quantity", "tau", "value"]


def draw(sources: list[Source]) -> tuple[Picture, pd.DataFrame]:
    """The picture, and its data: a row a point, quantity `zeta` (rad), `speed` or `chords` (rad per unit of τ)."""
    palette = style.colours(source.run for source in sources)
    shown = separating(sources, "path")
    parts = []
    for source in shown:
        parts.append(source.part(thin(source.path, "zeta"), "zeta"))
        snapshots = source.snapshots("direction")
        chords = np.r_[0.0, snapshots["angle_from_previous"].iloc[1:].cumsum()][: len(snapshots)]
        speeds = {
            "speed": _curves.path_speeds(source),
            "chords": _curves.secant_speeds(snapshots["tau"].to_numpy(), chords),
        }
        parts += [source.part(rows, quantity, rows["value"]) for quantity, rows in speeds.items()]
    table = stack(parts, COLUMNS)

    picture, (axes,) = style.panels(1, 3, 2.8)
    length, speeds, chords = (table[table["quantity"] == name] for name in ("zeta", "speed", "chords"))
    style.curves(axes[0], length, "tau", "value", palette)
    axes[0].set(title="path length of $W/\\Vert W\\Vert$", xlabel=style.TAU, ylabel=r"$\zeta$ (rad)")
    titles = ("its speed", "the same by chords")
    for panel, rows, title in zip(axes[1:], (speeds, chords), titles, strict=True):
        style.curves(panel, rows, "tau", "value", palette, **style.DOTS)
        style.log(panel, x=True, y=True)
        panel.set(title=title, xlabel=style.TAU, ylabel=r"$d\zeta/d\tau$ (rad)")
        if len(rows):
            ends = rows.groupby(["run", "seed"], sort=False).last()
            anchor = ends.loc[(ends["tau"] * ends["value"]).idxmax()]
            tau = np.array([anchor["tau"] / 2.5, rows["tau"].max()])
            panel.plot(tau, 1.4 * anchor["value"] * anchor["tau"] / tau, **style.GUIDE)
    guides = [style.guide(style.SLOPE_MINUS_ONE)] if len(speeds) else []
    style.lettered(axes)
    style.runs_legend(picture, shown, palette, *guides)
    return picture, table
