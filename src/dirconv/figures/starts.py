"""From initialization to ℒ = ℓ(0), and how far from the limit that point is.

(a) ln ℒ − ln ℓ(0) against the flow time of the mean loss, one line per seed. The theorems start at zero; data with
contradicting labels never get there. Lines end at a time of 10⁴: the flow is followed by its length, and a step of
given length on a plateau can take any time. (b) The smoothed margin on the way, over the size of its first value. (c)
The angle between the direction at ℒ = ℓ(0) and the direction at the end, one point per seed. (d) The normalized margin
at ℒ = ℓ(0) over that at the end. In (c) and (d) a bar is the median over seeds.
"""

from __future__ import annotations

from dirconv.figures import Drawing, Figure, Source, stack, style

NUMERICS = 1
FIGURE = Figure(tables=("start",), optional=("limit",), claimed=True)
COLUMNS = ["run", "network", "seed", "quantity", "time", "value"]
PANELS = {
    "excess": ("risk", "flow time of the mean loss", r"$\ln\mathcal{L} - \ln\ell(0)$"),
    "smoothed_margin": ("smoothed margin", "flow time of the mean loss", r"$\tilde a$, over its first size"),
    "angle": ("from ℒ = ℓ(0) to the end", "", "angle (rad)"),
    "share": ("margin at ℒ = ℓ(0)", "", "share of that at the end"),
}
MAX_TIME = 1e4  # flow time shown


def draw(sources: list[Source]) -> Drawing:
    """The picture, and its data: `excess` and `smoothed_margin` against time, `angle` and `share` of the margin."""
    palette = style.colours(source.run for source in sources)
    parts = []
    for source in sources:
        start = source.tables["start"]
        for quantity, value in (
            ("excess", start["ln_risk"] - source.ln_at_zero),
            ("smoothed_margin", start["smoothed_margin"] / abs(start["smoothed_margin"].iloc[0])),
        ):
            rows = source.part(start, quantity, value)
            parts.append(rows[rows["time"].between(0, MAX_TIME, inclusive="right")])
        limit = source.tables.get("limit")
        if limit is not None and start["below"].iloc[-1]:
            values = {"angle": limit["to_start"].iloc[-1], "share": limit["margin"].iloc[0] / limit["margin"].iloc[-1]}
            parts += [source.number(name, value, time=start["time"].iloc[-1]) for name, value in values.items()]
    table = stack(parts, COLUMNS)

    picture, axes = style.panels(2, 2, 4.9)
    for panel, quantity, rows in style.by_quantity(axes.flat, table, PANELS):
        if quantity in ("excess", "smoothed_margin"):
            style.curves(panel, rows, "time", "value", palette, **style.MANY_CURVES)
            style.log(panel, x=True)
            if len(rows):
                panel.axhline(0, **style.GUIDE)
        elif len(rows):
            style.points(panel, rows, "run", "value", palette)
            panel.set_ylim(bottom=0)
        else:
            style.empty(panel)
    return style.finished(picture, axes, sources, palette), table
