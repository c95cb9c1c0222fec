"""Does the direction's path have finite length? ζ against τ, and its speed dζ/dτ.

The speed is a secant's, between τ's that are evenly spaced in ln τ (twelve to a decade), so that the chatter of
discrete steps averages out. A speed that falls like 1/τ or more slowly has an infinite integral: the path is finite
where the curve falls more steeply than the dashed line. A secant over which nothing moved would not be drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dirconv.claims.statistics import secants
from dirconv.figures import reached, stack, style, thin

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from dirconv.figures import Source

TABLES = ("path",)
COLUMNS = ["run", "network", "seed", "quantity", "tau", "value"]


def draw(sources: list[Source]) -> tuple[Figure, pd.DataFrame]:
    """The figure, and its data: a row a point, quantity `zeta` (rad) or `speed` (rad per unit of τ)."""
    import pandas as pd

    palette = style.colours(source.run for source in sources)
    shown = reached(sources, "path")
    parts = []
    for source in shown:
        path = thin(source.path, "zeta")
        parts.append(path.assign(quantity="zeta", value=path["zeta"], **source.identity))
        middle, speed, _ = secants(source.path["tau"].to_numpy(), source.path["zeta"].to_numpy())
        parts.append(pd.DataFrame({"tau": middle, "value": speed}).assign(quantity="speed", **source.identity))
    table = stack(parts, COLUMNS)

    figure, (axes,) = style.panels(1, 2, 2.9)
    length, speeds = table[table["quantity"] == "zeta"], table[table["quantity"] == "speed"]
    style.curves(axes[0], length, "tau", "value", palette)
    axes[0].set(title="path length of $W/\\Vert W\\Vert$", xlabel=style.TAU, ylabel=r"$\zeta$ (rad)")
    style.curves(axes[1], speeds, "tau", "value", palette, marker="o", markersize=2.6, markeredgewidth=0)
    style.log(axes[1], x=True, y=True)
    axes[1].set(title="its speed", xlabel=style.TAU, ylabel=r"$d\zeta/d\tau$ (rad)")
    more = []
    if len(speeds):
        ends = speeds.groupby(["run", "seed"], sort=False).last()
        anchor = ends.loc[(ends["tau"] * ends["value"]).idxmax()]
        tau = np.array([anchor["tau"] / 2.5, speeds["tau"].max()])
        axes[1].plot(tau, 1.4 * anchor["value"] * anchor["tau"] / tau, **style.GUIDE)
        more.append(style.guide(r"slope −1: $\int d\zeta$ diverges"))
    style.lettered(axes)
    style.runs_legend(figure, shown, palette, *more)
    return figure, table
