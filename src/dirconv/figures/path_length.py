"""Does the direction's path have finite length? ζ against τ, and its speed dζ/dτ.

The speed is a secant's, between τ's that are evenly spaced in ln τ (twelve to a decade), so that the chatter of
discrete steps averages out. A speed that falls like 1/τ or more slowly has an infinite integral: the path is finite
where the curve falls more steeply than the dashed line. A secant over which nothing moved would not be drawn.
The last panel has the same speed from chords between snapshots, which leave out what steps jump to and fro.
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

TABLES = ("path", "direction")
COLUMNS = ["run", "network", "seed", "quantity", "tau", "value"]


def draw(sources: list[Source]) -> tuple[Figure, pd.DataFrame]:
    """The figure, and its data: a row a point, quantity `zeta` (rad), `speed` or `chords` (rad per unit of τ)."""
    import pandas as pd

    palette = style.colours(source.run for source in sources)
    shown = reached(sources, "path")
    parts = []
    for source in shown:
        path = thin(source.path, "zeta")
        parts.append(path.assign(quantity="zeta", value=path["zeta"], **source.identity))
        snapshots = source.snapshots("direction")
        chords = np.r_[0.0, snapshots["angle_from_previous"].iloc[1:].cumsum()]
        for quantity, tau, way in (
            ("speed", source.path["tau"], source.path["zeta"].to_numpy()),
            ("chords", snapshots["tau"], chords[: len(snapshots)]),
        ):
            middle, speed, _ = secants(tau.to_numpy(), way)
            parts.append(pd.DataFrame({"tau": middle, "value": speed}).assign(quantity=quantity, **source.identity))
    table = stack(parts, COLUMNS)

    figure, (axes,) = style.panels(1, 3, 2.8)
    length, speeds, chords = (table[table["quantity"] == name] for name in ("zeta", "speed", "chords"))
    style.curves(axes[0], length, "tau", "value", palette)
    axes[0].set(title="path length of $W/\\Vert W\\Vert$", xlabel=style.TAU, ylabel=r"$\zeta$ (rad)")
    titles = ("its speed", "the same by chords")
    for panel, rows, title in zip(axes[1:], (speeds, chords), titles, strict=True):
        style.curves(panel, rows, "tau", "value", palette, marker="o", markersize=2.6, markeredgewidth=0)
        style.log(panel, x=True, y=True)
        panel.set(title=title, xlabel=style.TAU, ylabel=r"$d\zeta/d\tau$ (rad)")
        if len(rows):
            ends = rows.groupby(["run", "seed"], sort=False).last()
            anchor = ends.loc[(ends["tau"] * ends["value"]).idxmax()]
            tau = np.array([anchor["tau"] / 2.5, rows["tau"].max()])
            panel.plot(tau, 1.4 * anchor["value"] * anchor["tau"] / tau, **style.GUIDE)
    more = [style.guide(r"slope −1: $\int d\zeta$ diverges")] if len(speeds) else []
    style.lettered(axes)
    style.runs_legend(figure, shown, palette, *more)
    return figure, table
