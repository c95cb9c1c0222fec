r"""The rates d ln ã/dτ and dζ/dτ on images, each in two ways: along the flow's velocity, and as a sum of parts.

One row per network that has a degree (its lowest seed). Circles: the left side, margins and direction differentiated
forward. Line: the right side, radial plus spherical part, from gradients. Thin line: the radial part alone, which ζ
does not have. Last column: the relative difference of the two sides, and how far rounding leaves ln q open (both sides
alike, since they share q). The rates are those of −∇ℒ at a point; where a flow runs along kinks, that is not the
velocity of its steps. Axes are logarithmic: τ = 0 and values that are not above zero are left out.
"""

from __future__ import annotations

from dirconv.figures import Drawing, Figure, Source, first_seeds, positive, separating, stack, style

NUMERICS = 1
FIGURE = Figure(tables=("path", "decomposition"))
COLUMNS = ["run", "network", "seed", "rate", "quantity", "snapshot", "tau", "value"]
RATES = {"smoothed_margin": r"$d\ln\tilde\alpha/d\tau$", "path_length": r"$d\zeta/d\tau$ (rad)"}
SIDES = {
    "left": {"linestyle": "", "marker": "o", "markersize": 4, "markerfacecolor": "none", "label": "forward"},
    "sum": {"linewidth": 1.0, "label": "radial + spherical part"},
    "radial": {"linewidth": 0.6, "marker": ".", "markersize": 3, "label": "radial part"},
}
MARKS = {"smoothed_margin": "o", "path_length": "s"}


def draw(sources: list[Source]) -> Drawing:
    """The picture, and its data: a row a point, `value` of `quantity` of a `rate`."""
    palette = style.colours(source.run for source in sources)
    shown = first_seeds(separating(sources, "decomposition"))
    parts = []
    for source in shown:
        rows = source.snapshots("decomposition")
        rows = rows.assign(sum=rows["radial"] + rows["spherical"], rate=rows["quantity"])
        for quantity in (*SIDES, "difference"):
            parts.append(positive(source.part(rows, quantity), "tau", "value"))
        resolution = rows[rows["rate"] == "smoothed_margin"].assign(rate="both")
        parts.append(positive(source.part(resolution, "resolution"), "tau", "value"))
    table = stack(parts, COLUMNS)

    none = "nothing to show:\nno run with a degree has reached ℒ < ℓ(0)"
    picture, axes = style.rows_of_panels(shown, 3, none, sharex="row", sharey="col")
    for row, source in zip(axes, shown, strict=False):
        of_run = table[table["run"] == source.run]
        colour = palette[source.run]
        for panel, (rate, label) in zip(row, RATES.items(), strict=False):
            for quantity, look in SIDES.items():
                curve = of_run[(of_run["rate"] == rate) & (of_run["quantity"] == quantity)]
                if len(curve):
                    panel.plot(curve["tau"], curve["value"], color=colour, **look)
            panel.set_ylabel(label)
        for rate, marker in MARKS.items():
            curve = of_run[(of_run["rate"] == rate) & (of_run["quantity"] == "difference")]
            row[2].plot(
                curve["tau"], curve["value"], color=colour, marker=marker, markersize=3, linewidth=0.6,
                markerfacecolor=colour if marker == "o" else "none", label=RATES[rate].removesuffix(" (rad)"),
            )  # fmt: skip
        curve = of_run[of_run["quantity"] == "resolution"]
        row[2].plot(curve["tau"], curve["value"], color="0.45", linewidth=0.9, linestyle=":", label="rounding of ln q")
        for panel in row:
            style.log(panel, x=True, y=True)
        row[2].set_ylabel("relative difference\nof the two sides")
        row[0].set_title(source.network)
    if shown:
        axes[0, 0].legend(loc="best")
        axes[0, 2].legend(loc="best")
    for panel in axes[-1]:
        panel.set_xlabel(style.TAU)
    style.lettered(axes)
    return picture, table
