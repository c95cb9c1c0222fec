"""However the classes are chosen: does the direction converge, and the gradient align?

(a) The path's speed by secants against τ; steeper than the dashed line is a finite path.
(b) The exponent P of dζ/dτ = A (τ + τ₀)^(−P) with its 95 % interval, one line a seed; above one the path is finite.
An arrow: it reaches above 20. Open circles: it is not above one, and the slope may still be rising, which decides
nothing.
(c) cos of W with the flow's velocity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dirconv.claims.statistics import decay
from dirconv.figures import _bands, reached, stack, style, thin

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from dirconv.figures import Source

CLAIMED = True
TABLES = ("path",)
COLUMNS = ["run", "network", "seed", "quantity", "tau", "value", "low", "high", "settled"]
HIGHEST = 20.0  # P shown


def draw(sources: list[Source]) -> tuple[Figure, pd.DataFrame]:
    """The figure, and its data: a row a point, quantity `speed`, `exponent` or `cos`."""
    import pandas as pd

    palette = style.colours(source.run for source in sources)
    shown = reached(sources, "path")
    parts = []
    for source in shown:
        speed = _bands.speeds(source).rename(columns={"speed": "value"})
        parts.append(speed.assign(quantity="speed", **source.identity))
        cos = thin(source.path, "cos")
        parts.append(cos.assign(quantity="cos", value=cos["cos"], **source.identity))
        found = decay(source.path["tau"].to_numpy(), source.path["zeta"].to_numpy(), 1.0)
        if found is not None:
            row = {"value": found.exponent, "low": found.low, "high": found.high, "settled": found.settled}
            row = {"tau": source.path["tau"].iloc[-1], "quantity": "exponent", **row, **source.identity}
            parts.append(pd.DataFrame([row]))
    table = stack(parts, COLUMNS)

    figure, (axes,) = style.panels(1, 3, 2.8)
    speeds, exponents, cosines = (table[table["quantity"] == name] for name in ("speed", "exponent", "cos"))
    style.curves(axes[0], speeds, "tau", "value", palette, marker="o", markersize=2.2, markeredgewidth=0)
    style.log(axes[0], x=True, y=True)
    axes[0].set(title="speed of the direction", xlabel=style.TAU, ylabel=r"$d\zeta/d\tau$ (rad)")
    more = []
    if len(speeds):
        tau = np.array([0.25, 1.0]) * speeds["tau"].max()
        axes[0].plot(tau, 1.6 * speeds["value"].median() * tau[0] / tau, **style.GUIDE)
        more.append(style.guide(r"slope −1: $\int d\zeta$ diverges"))
    for place, row in enumerate(exponents.itertuples()):
        axes[1].plot([place] * 2, [row.low, min(row.high, HIGHEST)], color=palette[row.run], linewidth=1.2)
        face = palette[row.run] if row.settled or row.low > 1 else "white"
        value = min(row.value, HIGHEST)
        axes[1].plot(place, value, "o", color=palette[row.run], markerfacecolor=face, markersize=4)
        if row.high > HIGHEST:
            axes[1].plot(place, HIGHEST, "^", color=palette[row.run], markersize=4)
    if len(exponents):
        axes[1].axhline(1, **style.GUIDE)
        axes[1].set(xticks=[], xlim=(-0.6, len(exponents) - 0.4))
    else:
        style.empty(axes[1])
    axes[1].set(title="exponent $P$, a line a seed", ylabel="$P$")
    style.curves(axes[2], cosines, "tau", "value", palette)
    axes[2].set(title="alignment", xlabel=style.TAU, ylabel=style.COS)
    style.lettered(axes)
    style.runs_legend(figure, shown, palette, *more)
    return figure, table
