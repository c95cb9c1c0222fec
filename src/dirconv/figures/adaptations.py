"""However the classes are chosen: does the direction converge, and does the velocity align with W?

(a) The path's speed dζ/dτ by secants, against τ. A path whose speed falls more steeply than the dashed line is finite.
(b) The exponent P of dζ/dτ = A (τ + τ₀)^(−P) with its 95 % interval, one line per seed. The path is finite for P above
one. An arrow means that the interval reaches above 20. An open circle means that the interval is not above one and the
slope may still be rising: such a seed decides nothing. (c) cos of the angle between W and the flow's velocity.
"""

from __future__ import annotations

import numpy as np

from dirconv.claims.statistics import decay
from dirconv.figures import Drawing, Figure, Source, _curves, separating, stack, style, thin

NUMERICS = 1
GOES_THROUGH = ("tail_statistics",)
FIGURE = Figure(tables=("path",), claimed=True)
COLUMNS = ["run", "network", "seed", "quantity", "tau", "value", "low", "high", "settled"]
PANELS = {
    "speed": ("speed of the direction", style.TAU, r"$d\zeta/d\tau$ (rad)"),
    "exponent": ("exponent $P$, a line a seed", "", "$P$"),
    "cos": ("alignment", style.TAU, style.COS),
}
MAX_EXPONENT = 20.0  # greatest P shown


def draw(sources: list[Source]) -> Drawing:
    """The picture, and its data: a row a point, quantity `speed`, `exponent` or `cos`."""
    palette = style.colours(source.run for source in sources)
    shown = separating(sources, "path")
    parts = []
    for source in shown:
        path = source.path
        parts += [source.part(_curves.path_speeds(source), "speed"), source.part(thin(path, "cos"), "cos")]
        fit = decay(path["tau"].to_numpy(), path["zeta"].to_numpy(), 1.0)
        if fit is not None:
            interval = {"low": fit.low, "high": fit.high, "settled": fit.settled}
            parts.append(source.number("exponent", fit.exponent, tau=path["tau"].iloc[-1], **interval))
    table = stack(parts, COLUMNS)

    picture, (axes,) = style.panels(1, 3, 2.8)
    speeds, exponents, cosines = (rows for _, _, rows in style.by_quantity(axes, table, PANELS))
    style.curves(axes[0], speeds, "tau", "value", palette, **{**style.DOTS, "markersize": 2.2})
    style.log(axes[0], x=True, y=True)
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
    style.curves(axes[2], cosines, "tau", "value", palette)
    return style.finished(picture, axes, shown, palette, *guides), table
