"""However the classes are chosen: does the direction converge, and does the velocity align with W?

(a) The path's speed dζ/dτ by secants, against τ. A path whose speed falls more steeply than the dashed line is finite.
(b) The exponent P of dζ/dτ = A (τ + τ₀)^(−P) with its 95 % interval, one line per seed. The path is finite for P above
one. An arrow means that the interval reaches above 20. An open circle means that the interval is not above one and the
slope may still be rising: such a seed decides nothing. (c) cos of the angle between W and the flow's velocity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dirconv.claims.statistics import decay
from dirconv.figures import Figure, _curves, separating, stack, style, thin

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Picture

    from dirconv.figures import Source

NUMERICS = 1
GOES_THROUGH = ("tail_statistics",)
FIGURE = Figure(tables=("path",), claimed=True)
COLUMNS = ["run", "network", "seed", "quantity", "tau", "value", "low", "high", "settled"]
MAX_EXPONENT = 20.0  # greatest P shown


def draw(sources: list[Source]) -> tuple[Picture, pd.DataFrame]:
    """The picture, and its data: a row a point, quantity `speed`, `exponent` or `cos`."""
    import pandas as pd

    palette = style.colours(source.run for source in sources)
    shown = separating(sources, "path")
    parts = []
    for source in shown:
        path = source.path
        speeds = _curves.path_speeds(source)
        parts += [source.part(speeds, "speed", speeds["value"]), source.part(thin(path, "cos"), "cos")]
        fit = decay(path["tau"].to_numpy(), path["zeta"].to_numpy(), 1.0)
        if fit is not None:
            row = {"tau": path["tau"].iloc[-1], "low": fit.low, "high": fit.high, "settled": fit.settled}
            parts.append(source.part(pd.DataFrame([row]), "exponent", fit.exponent))
    table = stack(parts, COLUMNS)

    picture, (axes,) = style.panels(1, 3, 2.8)
    speeds, exponents, cosines = (table[table["quantity"] == name] for name in ("speed", "exponent", "cos"))
    style.curves(axes[0], speeds, "tau", "value", palette, **{**style.DOTS, "markersize": 2.2})
    style.log(axes[0], x=True, y=True)
    axes[0].set(title="speed of the direction", xlabel=style.TAU, ylabel=r"$d\zeta/d\tau$ (rad)")
    guides = []
    if len(speeds):
        tau = np.array([0.25, 1.0]) * speeds["tau"].max()
        axes[0].plot(tau, 1.6 * speeds["value"].median() * tau[0] / tau, **style.GUIDE)
        guides.append(style.guide(style.SLOPE_MINUS_ONE))
    for place, row in enumerate(exponents.itertuples()):
        axes[1].plot([place] * 2, [row.low, min(row.high, MAX_EXPONENT)], color=palette[row.run], linewidth=1.2)
        face = palette[row.run] if row.settled or row.low > 1 else "white"
        value = min(row.value, MAX_EXPONENT)
        axes[1].plot(place, value, "o", color=palette[row.run], markerfacecolor=face, markersize=4)
        if row.high > MAX_EXPONENT:
            axes[1].plot(place, MAX_EXPONENT, "^", color=palette[row.run], markersize=4)
    if len(exponents):
        axes[1].axhline(1, **style.GUIDE)
        axes[1].set(xticks=[], xlim=(-0.6, len(exponents) - 0.4))
    else:
        style.empty(axes[1])
    axes[1].set(title="exponent $P$, a line a seed", ylabel="$P$")
    style.curves(axes[2], cosines, "tau", "value", palette)
    axes[2].set(title="alignment", xlabel=style.TAU, ylabel=style.COS)
    style.lettered(axes)
    style.runs_legend(picture, shown, palette, *guides)
    return picture, table
