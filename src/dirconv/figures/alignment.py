"""Alignment with W and the direction's movement along the flow, against ln(1/ℒ) (left) and τ (right).

First row: cos ∠(W, v) at every step. v is −∇ℒ for explicit methods; for the proximal method it is the velocity that the
step was made with (the figure `integration` shows it beside the gradient at the point). Second row: the angle to the
last snapshot's direction, which is zero at the end by construction. Third row: the angle between successive log-spaced
snapshots. Open circles mark a run's first and last of these; they are closer together than the others, since a run's
start and end fall between levels. Axes are logarithmic: the column over τ leaves out the start, τ = 0, and the last row
would leave out an angle of exactly zero.
"""

from __future__ import annotations

from dirconv.figures import Drawing, Figure, Source, positive, separating, stack, style, thin

NUMERICS = 1
FIGURE = Figure(tables=("path", "direction"))
COLUMNS = ["run", "network", "seed", "quantity", "against", "x", "value"]
QUANTITIES = {
    "cos": ("alignment of the velocity", style.COS),
    "angle_to_last": ("angle to the last direction", "angle (rad),\nzero at the end by construction"),
    "angle_from_previous": (
        "angle between successive log-spaced snapshots",
        "angle (rad),\nopen circles: partial intervals",
    ),
}
AGAINST = {"log_inverse_risk": style.LOG_INVERSE_RISK, "tau": style.TAU}


def draw(sources: list[Source]) -> Drawing:
    """The picture, and its data: a row a point, `value` of `quantity` at `x` of `against`."""
    palette = style.colours(source.run for source in sources)
    shown = separating(sources, "path")
    parts = []
    for source in shown:
        for quantity in QUANTITIES:
            rows = thin(source.path, "cos") if quantity == "cos" else source.snapshots("direction")
            rows = rows.dropna(subset=[quantity])
            for against in AGAINST:
                points = positive(rows, against)
                if quantity == "angle_from_previous":
                    points = positive(points, quantity)
                parts.append(source.part(points, quantity, against=against, x=points[against]))
    table = stack(parts, COLUMNS)

    picture, axes = style.panels(3, 2, 6.6, sharex="col", sharey="row")
    for row, (quantity, (title, unit)) in zip(axes, QUANTITIES.items(), strict=True):
        for panel, (against, label) in zip(row, AGAINST.items(), strict=True):
            chosen = table[(table["quantity"] == quantity) & (table["against"] == against)]
            marks = {} if quantity == "cos" else style.DOTS
            style.curves(panel, chosen, "x", "value", palette, **marks)
            style.log(panel, x=True, y=quantity == "angle_from_previous")
            panel.set(xlabel=label, ylabel=unit)
            if quantity == "angle_from_previous":
                for (run, _), curve in chosen.groupby(["run", "seed"], sort=False):
                    ends = curve.iloc[[0, -1]]
                    panel.scatter(ends["x"], ends["value"], s=11, color="white", edgecolors=[palette[run]], zorder=3)
        row[0].set_title(title)
        row[1].set_ylabel("")
        for panel in row if quantity == "cos" else ():
            panel.axhline(1, **style.GUIDE)
        if quantity == "angle_to_last" and len(table):
            row[0].set_ylim(bottom=0)
    for panel in axes[:-1].flat:
        panel.set_xlabel("")
    return style.finished(picture, axes, shown, palette), table
