"""Is f(cW) = c^L f(W)? The largest relative deviation against c, for every network of the study.

A network with a declared degree L (solid) is compared with that. A network without one (dashed) is compared with the
degree estimated at each c. Deviations of exactly zero are drawn at 10⁻¹⁷. Above the guide, training refuses a network
with a declared degree.
"""

from __future__ import annotations

from dirconv.figures import Drawing, Figure, Source, stack, style
from dirconv.homogeneity import TOLERANCE

NUMERICS = 1
GOES_THROUGH = ("homogeneity",)
FIGURE = Figure(tables=("homogeneity",))
COLUMNS = ["run", "network", "seed", "declared_degree", "scale", "degree", "deviation", "drawn_at"]
ZERO = 1e-17  # where exact zeros are drawn
MARKERS = "osD^vP"


def draw(sources: list[Source]) -> Drawing:
    """The picture, and its data: a row a network and scale c."""
    from matplotlib.lines import Line2D

    palette = style.colours(source.run for source in sources)
    parts = []
    for source in sources:
        rows = source.tables["homogeneity"].dropna(subset=["deviation"]).sort_values("scale")
        drawn = rows["deviation"].where(rows["deviation"] != 0, ZERO)
        parts.append(rows.assign(drawn_at=drawn, declared_degree=source.degree, **source.identity))
    table = stack(parts, COLUMNS)

    picture, ((axes,),) = style.panels(1, 1, 3.0)
    handles = []
    for index, source in enumerate(sources):
        rows = source.select(table)
        # open markers of falling size show networks that lie on each other
        mark = {
            "marker": MARKERS[index % len(MARKERS)],
            "markersize": max(8 - 1.7 * index, 3),
            "markerfacecolor": "none",
            "color": palette[source.run],
            "linestyle": "-" if source.degree is not None else (0, (4, 2)),
        }
        axes.plot(rows["scale"], rows["drawn_at"], **mark)
        if source.degree is not None:
            text = rf"{source.network}: $L$ = {source.degree}"
        else:
            low, high = rows["degree"].min(), rows["degree"].max()
            text = f"{source.network}: no degree declared"
            text += f"\n(estimated: {low:.2g} to {high:.2g})" if len(rows) else ""
        handles.append(Line2D([], [], label=text, **mark))
    zeros = table[table["deviation"] == 0]
    if len(zeros):
        options = {"color": "0.2", "markersize": 3, "label": r"exactly 0 (drawn at $10^{-17}$)"}
        handles += axes.plot(zeros["scale"], zeros["drawn_at"], "v", **options)
    style.log(axes, x=True, y=True)
    axes.axhline(TOLERANCE, **style.GUIDE)
    handles.append(style.guide(r"$10^{-6}$: training refuses above"))
    ticks = sorted(table["scale"].unique())
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set(xlabel="$c$", ylabel="largest relative deviation\nof $f(cW)$ from $c^L f(W)$")
    picture.legend(handles=handles, loc="outside right upper")
    return picture, table
