"""Does the direction's path have finite length? ζ against τ, and its speed dζ/dτ.

(a) The length ζ of the path of W/‖W‖. (b) Its speed by secants between τ's that are evenly spaced in ln τ, twelve to a
decade, so that the chatter of discrete steps averages out. A speed that falls like 1/τ or more slowly has an infinite
integral; the path is finite if the curve falls more steeply than the dashed line. A secant over which nothing moved
would not be drawn. (c) The same speed from chords between snapshots, which leave out jumps of steps to and fro.
"""

from __future__ import annotations

import numpy as np

from dirconv.figures import Drawing, Figure, Source, _curves, separating, stack, style, thin

NUMERICS = 1
GOES_THROUGH = ("tail_statistics",)
FIGURE = Figure(tables=("path", "direction"))
COLUMNS = ["run", "network", "seed", "quantity", "tau", "value"]
PANELS = {
    "zeta": (r"path length of $W/\Vert W\Vert$", style.TAU, r"$\zeta$ (rad)"),
    "speed": ("its speed", style.TAU, r"$d\zeta/d\tau$ (rad)"),
    "chords": ("the same by chords", style.TAU, r"$d\zeta/d\tau$ (rad)"),
}


def draw(sources: list[Source]) -> Drawing:
    """The picture, and its data: a row a point, quantity `zeta` (rad), `speed` or `chords` (rad per unit of τ)."""
    palette = style.colours(source.run for source in sources)
    shown = separating(sources, "path")
    parts = []
    for source in shown:
        parts.append(source.part(thin(source.path, "zeta"), "zeta"))
        snapshots = source.snapshots("direction")
        chords = np.r_[0.0, snapshots["angle_from_previous"].iloc[1:].cumsum()][: len(snapshots)]
        parts.append(source.part(_curves.path_speeds(source), "speed"))
        parts.append(source.part(_curves.secant_speeds(snapshots["tau"].to_numpy(), chords), "chords"))
    table = stack(parts, COLUMNS)

    picture, (axes,) = style.panels(1, 3, 2.8)
    guides = []
    for panel, quantity, rows in style.by_quantity(axes, table, PANELS):
        style.curves(panel, rows, "tau", "value", palette, **({} if quantity == "zeta" else style.DOTS))
        if quantity == "zeta":
            continue
        style.log(panel, x=True, y=True)
        if len(rows):
            ends = rows.groupby(["run", "seed"], sort=False).last()
            anchor = ends.loc[(ends["tau"] * ends["value"]).idxmax()]
            tau = np.array([anchor["tau"] / 2.5, rows["tau"].max()])
            panel.plot(tau, 1.4 * anchor["value"] * anchor["tau"] / tau, **style.GUIDE)
            guides = [style.guide(style.SLOPE_MINUS_ONE)]
    return style.finished(picture, axes, shown, palette, *guides), table
