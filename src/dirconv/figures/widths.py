"""What width changes: the time to ℒ < ℓ(0), and alignment and normalized margin at equal τ.

(a) The flow time of the mean loss from initialization to ℒ < ℓ(0), one point per seed. A cross at the top gives the
number of seeds that never get there. (b) cos of the angle between W and the velocity, by the last chord before the
greatest τ that all seeds reach. (c) The normalized margin at that τ. Lines are medians over seeds.
"""

from __future__ import annotations

import numpy as np

from dirconv.figures import Drawing, Figure, Source, _curves, stack, style

NUMERICS = 1
GOES_THROUGH = ("tail_statistics",)
FIGURE = Figure(tables=("start", "limit"), claimed=True)
COLUMNS = ["run", "network", "seed", "width", "quantity", "value"]


def draw(sources: list[Source]) -> Drawing:
    """The picture, and its data: a row a run and seed, quantity `time` (NaN: never), `cos` or `margin`."""
    from matplotlib.ticker import NullLocator

    arrived = [source for source in sources if source.tables["start"]["below"].iloc[-1]]
    common = min((source.tables["limit"]["tau"].iloc[-1] for source in arrived), default=0.0)
    parts = []
    for source in sources:
        start, limit = source.tables["start"].iloc[-1], source.tables["limit"]
        values = {"time": start["time"] if start["below"] else np.nan}
        if start["below"]:
            values["margin"] = float(np.interp(common, limit["tau"], limit["margin"]))
            speeds = _curves.chord_speeds(limit[limit["tau"] <= common + 1e-9])["value"]
            if len(speeds):
                values["cos"] = _curves.cosine(speeds.iloc[-1])
        width = source.specification["problem"]["width"]
        parts += [source.number(quantity, value, width=width) for quantity, value in values.items()]
    table = stack(parts, COLUMNS)

    picture, (axes,) = style.panels(1, 3, 2.7)
    panels = {
        "time": (r"time to $\mathcal{L} < \ell(0)$", "width", "flow time of the mean loss"),
        "cos": (rf"alignment at $\tau$ = {common:.2g}", "width", style.COS),
        "margin": ("normalized margin there", "width", r"$\min_i p_i/\Vert W\Vert^L$"),
    }
    for panel, quantity, rows in style.by_quantity(axes, table, panels):
        known = rows.dropna(subset="value")
        if known.empty:
            style.empty(panel)
            continue
        panel.plot(known["width"], known["value"], "o", color="C0", markersize=3, alpha=0.6, markeredgewidth=0)
        median = known.groupby("width")["value"].median()
        panel.plot(median.index, median, color="C0")
        never = rows.loc[rows["value"].isna(), "width"].value_counts()
        top = 1.3 * known["value"].max()  # only of times, which are logarithmic
        for width, count in never.items():
            panel.plot(width, top, "x", color="C3", markersize=5)
            look = {"ha": "center", "color": "C3", "fontsize": 7}
            panel.annotate(str(count), (width, top), (0, 5), textcoords="offset points", **look)
        panel.set_xscale("log", base=2)
        if quantity == "time":
            style.log(panel, y=True)
            if len(never):
                panel.set_ylim(top=1.7 * top)
        panel.set_xticks(sorted(set(rows["width"])), [f"{width:g}" for width in sorted(set(rows["width"]))])
        panel.xaxis.set_minor_locator(NullLocator())
    style.lettered(axes)
    return picture, table
