"""Margin maps that are no networks: random polynomials, and the factors of a tensor.

(a) The path's speed by secants, from τ = 0.01 on; steeper than the dashed line is a finite path. (b) 1 − cos between w
and −∇ℒ. (c) What the normalized margin lacks of its value at the end. A line a seed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dirconv.figures import _bands, reached, stack, style, thin

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from dirconv.figures import Source

CLAIMED = True
TABLES = ("path", "limit")
COLUMNS = ["run", "network", "seed", "quantity", "tau", "value"]
FIRST = 0.01  # τ from which speeds are drawn


def draw(sources: list[Source]) -> tuple[Figure, pd.DataFrame]:
    """The figure, and its data: a row a point, quantity `speed`, `misalignment` or `lack`."""
    palette = style.colours(source.run for source in sources)
    shown = reached(sources, "path")
    parts = []
    for source in shown:
        speed = _bands.speeds(source).rename(columns={"speed": "value"})
        parts.append(speed[speed["tau"] >= FIRST].assign(quantity="speed", **source.identity))
        path = thin(source.path.assign(value=1 - source.path["cos"], quantity="misalignment"), "value")
        parts.append(path.assign(**source.identity))
        limit = source.tables["limit"]
        lack = limit.assign(quantity="lack", value=1 - limit["margin"] / limit["margin"].iloc[-1])
        parts.append(lack.iloc[:-1].assign(**source.identity))
    table = stack(parts, COLUMNS)
    table = table[table["value"] > 1e-14]

    figure, (axes,) = style.panels(1, 3, 2.7)
    for one, (quantity, title, label) in zip(
        axes,
        (
            ("speed", "speed of the direction", r"$d\zeta/d\tau$ (rad)"),
            ("misalignment", "alignment", r"$1 - \cos\angle(w,\,-\nabla\mathcal{L})$"),
            ("lack", "margin", "1 − margin/margin at the end"),
        ),
        strict=True,
    ):
        style.curves(one, table[table["quantity"] == quantity], "tau", "value", palette, alpha=0.6, linewidth=0.8)
        style.log(one, x=quantity == "speed", y=True)
        one.set(title=title, xlabel=style.TAU, ylabel=label)
    more = []
    speeds = table[table["quantity"] == "speed"]
    if len(speeds):
        tau = np.array([0.1, 1.0]) * speeds["tau"].max()
        axes[0].plot(tau, speeds["value"].max() * tau[0] / tau, **style.GUIDE)
        more.append(style.guide(r"slope −1: $\int d\zeta$ diverges"))
    style.lettered(axes)
    style.runs_legend(figure, shown, palette, *more)
    return figure, table
