"""One network with smooth and with nonsmooth activations: does −∇ℒ align with W, and does the velocity?

(a) 1 − cos between W and −∇ℒ at the points of the computed path. (b) The same for the velocity, computed from chords
between kept points; jumps to and fro across kinks average out in part. In (a) and (b) lines are medians over
seeds and bands reach from the least to the greatest. (c) The share of (image, hidden unit) pairs whose sign changed
between kept points; dotted, the share whose sign went back to what it was two points before. Lines in (c) are means
over seeds, since in many intervals no sign changes at all; nothing is drawn where no sign changed in any seed.
"""

from __future__ import annotations

from dirconv.figures import Drawing, Figure, Source, Table, _curves, separating, stack, style

NUMERICS = 1
GOES_THROUGH = ("tail_statistics",)
FIGURE = Figure(tables=("path", "limit"), claimed=True)
COLUMNS = ["run", "network", "seed", "quantity", "tau", "value"]
PANELS = {
    "at_points": ("gradient at the points", style.TAU, r"$1 - \cos\angle(W,\,-\nabla\mathcal{L})$"),
    "by_chords": ("velocity by chords", style.TAU, r"$1 - \cos\angle(W,\,v)$"),
    "flips": ("signs of hidden units", style.TAU, "share that changed"),
}


def draw(sources: list[Source]) -> Drawing:
    """The picture, and its data: a row a point, quantity `at_points`, `by_chords`, `flips` or `returns`."""
    palette = style.colours(source.run for source in sources)
    shown = separating(sources, "path")
    last = _curves.last_common_tau(shown)
    parts = []
    for source in shown:
        at = _curves.log_spaced(0.05, last[source.run])
        misalignment = source.path.assign(value=1 - source.path["cos"])
        parts.append(source.part(_curves.interpolated(misalignment, "tau", "value", at), "at_points"))
        limit = source.tables["limit"]
        speeds = _curves.chord_speeds(limit).round({"tau": 6})
        parts.append(source.part(speeds, "by_chords", 1 - _curves.cosine(speeds["value"])))
        for quantity in ("flips", "returns"):
            parts.append(source.part(limit.round({"tau": 6}), quantity).dropna(subset="value"))
    table = stack(parts, COLUMNS)

    picture, (axes,) = style.panels(1, 3, 2.8)
    for panel, quantity, rows in style.by_quantity(axes, table, PANELS):
        if quantity != "flips":
            style.band(panel, rows[rows["value"] > 0], "tau", "value", palette)
        elif rows["value"].gt(0).any():
            _means(panel, rows, palette, linestyle="-", linewidth=1.2)
            _means(panel, table[table["quantity"] == "returns"], palette, linestyle=":", linewidth=1.0)
        else:
            style.empty(panel, "no sign changed")
        style.log(panel, x=quantity != "flips", y=True)
    if axes[0].lines and axes[1].lines:
        axes[1].set_xlim(axes[0].get_xlim())
    return style.finished(picture, axes, shown, palette, style.guide("changed back", color="0.2", linestyle=":")), table


def _means(axes, table: Table, palette, **options) -> None:
    """The mean over seeds, with a gap where it is zero."""
    for run, rows in table.groupby("run", sort=False):
        mean = rows.groupby("tau")["value"].mean()
        axes.plot(mean.index, mean.where(mean > 0), color=palette[run], **options)
