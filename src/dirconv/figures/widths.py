"""Width against the time to ℒ < ℓ(0), against alignment at equal τ, and against the margin at the end.

(a) Flow time of the mean loss from initialization to ℒ < ℓ(0), a point a seed; a cross at the top counts seeds that
never get there. (b) cos of W with the velocity, by the chord over the last part of a τ that all have reached. (c) The
normalized margin there. Lines are medians over seeds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dirconv.figures import stack, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from dirconv.figures import Source

CLAIMED = True
TABLES = ("start", "limit")
COLUMNS = ["run", "network", "seed", "width", "quantity", "value"]


def draw(sources: list[Source]) -> tuple[Figure, pd.DataFrame]:
    """The figure, and its data: a row a run and seed, quantity `time` (NaN: never), `cos` or `margin`."""
    import pandas as pd
    from matplotlib.ticker import NullLocator

    arrived = [source for source in sources if source.tables["start"]["below"].iloc[-1]]
    common = min((source.tables["limit"]["tau"].iloc[-1] for source in arrived), default=0.0)
    parts = []
    for source in sources:
        width = source.record["specification"]["problem"]["width"]
        start, limit = source.tables["start"].iloc[-1], source.tables["limit"]
        values = {"time": start["time"] if start["below"] else np.nan}
        if start["below"]:
            tau, chords = limit["tau"], limit[["tau", "chords"]].dropna()
            values["margin"] = float(np.interp(common, tau, limit["margin"]))
            late = chords[chords["tau"] <= common + 1e-9].tail(2)
            if len(late) == 2:
                speed = late["chords"].diff().iloc[-1] / late["tau"].diff().iloc[-1]
                values["cos"] = 1 / np.sqrt(1 + speed**2)
        rows = pd.DataFrame({"quantity": list(values), "value": list(values.values())})
        parts.append(rows.assign(width=width, **source.identity))
    table = stack(parts, COLUMNS)

    figure, (axes,) = style.panels(1, 3, 2.7)
    titles = (
        ("time", r"time to $\mathcal{L} < \ell(0)$", "flow time of the mean loss"),
        ("cos", rf"alignment at $\tau$ = {common:.2g}", style.COS),
        ("margin", "normalized margin there", r"$\min_i p_i/\Vert W\Vert^L$"),
    )
    for one, (quantity, title, label) in zip(axes, titles, strict=True):
        rows = table[table["quantity"] == quantity]
        known = rows.dropna(subset="value")
        if known.empty:
            style.empty(one)
            continue
        one.plot(known["width"], known["value"], "o", color="C0", markersize=3, alpha=0.6, markeredgewidth=0)
        median = known.groupby("width")["value"].median()
        one.plot(median.index, median, color="C0")
        never = rows.loc[rows["value"].isna(), "width"].value_counts()
        top = 1.3 * known["value"].max()  # only of times, which are logarithmic
        for width, count in never.items():
            one.plot(width, top, "x", color="C3", markersize=5)
            one.annotate(
                str(count), (width, top), (0, 5), textcoords="offset points", ha="center", color="C3", fontsize=7
            )
        one.set_xscale("log", base=2)
        if quantity == "time":
            style.log(one, y=True)
            if len(never):
                one.set_ylim(top=1.7 * top)
        one.set_xticks(sorted(set(rows["width"])), [f"{width:g}" for width in sorted(set(rows["width"]))])
        one.xaxis.set_minor_locator(NullLocator())
        one.set(title=title, xlabel="width", ylabel=label)
    style.lettered(axes)
    return figure, table
