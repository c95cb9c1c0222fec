r"""How near is the direction to a KKT point of the margin problem?

Of the best multipliers at every snapshot, relative to θ̃ = θ/γ^(1/L): (a) ε/‖θ̃‖, the sine of the least angle between W
and a positive combination of gradients; (b) δ/‖θ̃‖², the complementary slackness; (c) how many examples have
multipliers. One line per seed.
"""

from __future__ import annotations

from dirconv.figures import Drawing, Figure, Source, stack, style

NUMERICS = 1
FIGURE = Figure(tables=("kkt",), claimed=True)
COLUMNS = ["run", "network", "seed", "quantity", "tau", "value"]
PANELS = {
    "epsilon": ("stationarity", style.TAU, r"$\varepsilon/\Vert\tilde\theta\Vert$"),
    "delta": ("slackness", style.TAU, r"$\delta/\Vert\tilde\theta\Vert^2$"),
    "support": ("examples with multipliers", style.TAU, "examples"),
}


def draw(sources: list[Source]) -> Drawing:
    """The picture, and its data: a row a snapshot and quantity, `epsilon`, `delta` or `support`; ε, δ relative."""
    palette = style.colours(source.run for source in sources)
    shown, parts = [], []
    for source in sources:
        rows = source.snapshots("kkt").dropna(subset="epsilon")
        if len(rows) and source.degree:
            shown.append(source)
            parts.append(source.part(rows, "epsilon", rows["epsilon_relative"]))
            parts.append(source.part(rows, "delta", rows["delta"] * rows["margin"] ** (2 / source.degree)))
            parts.append(source.part(rows, "support"))
    table = stack(parts, COLUMNS)
    table = table[table["tau"] > 0]

    picture, (axes,) = style.panels(1, 3, 2.7)
    for panel, quantity, rows in style.by_quantity(axes, table, PANELS):
        style.curves(panel, rows[rows["value"] > 0], "tau", "value", palette, **style.DOTS)
        style.log(panel, x=True, y=quantity != "support")
    return style.finished(picture, axes, shown, palette), table
