r"""What the paper adds to Lyu and Li: they bound ∫ tan² ∠ dτ, and the paper bounds ∫ tan ∠ dτ = ζ.

(a) ∫ tan ∠ dτ, the path's length. (b) ∫ tan² ∠ dτ, by chords between steps, over its bound ln(ã_end/ã_0)/L (dashed, at
one). How close a seed comes to the bound depends on how far above zero its ã_0 happens to be. (c) tan ∠ by secants. If
it falls more steeply than the dotted guide, τ^(−1/2), its square is integrable; if more steeply than the dashed guide,
τ^(−1), it is itself integrable. On the Mexican hat (in a row of its own) Lyu and Li's integral levels off, and the
path's length never does. Lines are medians over seeds; bands reach from the least to the greatest.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dirconv.figures import Drawing, Figure, Source, Table, _curves, frame, separating, stack, style

NUMERICS = 1
GOES_THROUGH = ("tail_statistics",)
FIGURE = Figure(tables=("path",), claimed=True)
COLUMNS = ["run", "network", "seed", "quantity", "tau", "value"]
PANELS = {
    "integral": (r"$\int\tan\angle\,d\tau = \zeta$ (the paper)", style.TAU, r"$\zeta$ (rad)"),
    "integral_of_square": (r"$\int\tan^2\angle\,d\tau$ (Lyu and Li)", style.TAU, "share of its bound"),
    "tan": (r"$\tan\angle$", style.TAU, r"$\tan\angle(W,\,v)$"),
}
LONG = 1000.0  # last τ above which runs have a row of their own


def draw(sources: list[Source]) -> Drawing:
    """The picture, and its data: a row a point, quantity `tan`, `integral` or `integral_of_square` (over its bound)."""
    palette = style.colours(source.run for source in sources)
    shown = separating(sources, "path")
    last = _curves.last_common_tau(shown)
    parts = []
    for source in shown:
        at = _curves.log_spaced(0.02, last[source.run])
        path = source.path
        step, chord = path["tau"].diff(), path["zeta"].diff()
        square = (chord**2 / step.where(step > 0)).fillna(0.0).cumsum()
        bound = np.log(path["smoothed_margin"].iloc[-1] / path["smoothed_margin"].iloc[0]) / source.degree
        path = path.assign(integral=path["zeta"], integral_of_square=square / bound)
        for quantity in ("integral", "integral_of_square"):
            parts.append(source.part(_curves.interpolated(path, "tau", quantity, at), quantity))
        # NaN before the first secant and past the last
        tan = _curves.interpolated(np.log(_curves.path_speeds(source)), "tau", "value", np.log(at))["value"]
        parts.append(source.part(frame(tau=at), "tan", np.exp(tan)))
    table = stack(parts, COLUMNS)

    # the Mexican hat is followed to a τ far beyond any network's
    long = [run for run, tau in last.items() if tau > LONG]
    groups = [runs for runs in ([run for run in last if run not in long], long) if runs] or [[]]
    picture, axes = style.panels(len(groups), 3, 0.6 + 2.2 * len(groups))
    guides: dict[str, Any] = {}
    for row, runs in zip(axes, groups, strict=True):
        guides |= _row(row, table[table["run"].isin(runs)], palette)
    return style.finished(picture, axes, shown, palette, *guides.values()), table


def _row(axes, table: Table, palette: dict[str, Any]) -> dict[str, Any]:
    """Draw three panels; return their guides for the legend."""
    for panel, quantity, rows in style.by_quantity(axes, table, PANELS):
        style.band(panel, rows, "tau", "value", palette)
        style.log(panel, x=True, y=quantity == "tan")
    tan = rows.dropna(subset="value")
    if tan.empty:
        return {}
    for panel in axes:
        panel.set_xlim(axes[0].get_xlim())
    axes[0].set_ylim(bottom=0)
    axes[1].axhline(1, **style.GUIDE)
    axes[1].set_ylim(0, 1.06)
    guides = {}
    tau = np.array([math.sqrt(tan["tau"].min() * tan["tau"].max()), tan["tau"].max()])
    top = 3 * tan.loc[tan["tau"] >= tau[0], "value"].max()
    for power, line, name in ((-0.5, ":", r"$\tau^{-1/2}$"), (-1.0, (0, (4, 2)), r"$\tau^{-1}$")):
        axes[2].plot(tau, top * (tau / tau[0]) ** power, **{**style.GUIDE, "linestyle": line})
        guides[name] = style.guide(name, linestyle=line)
    return guides
