"""Homogeneous maps that are not networks: random polynomials, and a factored tensor.

(a) The path's speed by secants, from τ = 0.01 on. A path whose speed falls more steeply than the dashed line is finite.
(b) 1 − cos of the angle between w and −∇ℒ. (c) How far the normalized margin is below its value at the end, as a share
of it. One line per seed.
"""

from __future__ import annotations

import numpy as np

from dirconv.figures import Drawing, Figure, Source, _curves, separating, stack, style, thin

NUMERICS = 1
GOES_THROUGH = ("tail_statistics",)
FIGURE = Figure(tables=("path", "limit"), claimed=True)
COLUMNS = ["run", "network", "seed", "quantity", "tau", "value"]
PANELS = {
    "speed": ("speed of the direction", style.TAU, r"$d\zeta/d\tau$ (rad)"),
    "misalignment": ("alignment", style.TAU, r"$1 - \cos\angle(w,\,-\nabla\mathcal{L})$"),
    "lack": ("margin", style.TAU, "1 − margin/margin at the end"),
}
FIRST_TAU = 0.01  # where speeds begin


def draw(sources: list[Source]) -> Drawing:
    """The picture, and its data: a row a point, quantity `speed`, `misalignment` or `lack`."""
    palette = style.colours(source.run for source in sources)
    shown = separating(sources, "path")
    parts = []
    for source in shown:
        speeds = _curves.path_speeds(source)
        parts.append(source.part(speeds[speeds["tau"] >= FIRST_TAU], "speed"))
        parts.append(thin(source.part(source.path, "misalignment", 1 - source.path["cos"]), "value"))
        limit = source.tables["limit"]
        parts.append(source.part(limit, "lack", 1 - limit["margin"] / limit["margin"].iloc[-1]).iloc[:-1])
    table = stack(parts, COLUMNS)
    table = table[table["value"] > 1e-14]

    picture, (axes,) = style.panels(1, 3, 2.7)
    for panel, quantity, rows in style.by_quantity(axes, table, PANELS):
        style.curves(panel, rows, "tau", "value", palette, **style.MANY_CURVES)
        style.log(panel, x=quantity == "speed", y=True)
    guides = []
    speeds = table[table["quantity"] == "speed"]
    if len(speeds):
        tau = np.array([0.1, 1.0]) * speeds["tau"].max()
        axes[0].plot(tau, speeds["value"].max() * tau[0] / tau, **style.GUIDE)
        guides.append(style.guide(style.SLOPE_MINUS_ONE))
    return style.finished(picture, axes, shown, palette, *guides), table
