r"""Prediction surfaces: the kernel's maximum-margin predictor, a wide shallow network early and late, and their angles.

Above: f/max|f| and the data, for the first seed of the widest network. (a) The neural tangent kernel's predictor at
infinite width, solved exactly. (b) The network early, where ℒ < ℓ(0) was reached. (c) The network late, at the end of
the flow. The black line is the decision boundary. Below: angles between surfaces as vectors on the grid. (d) To the
network's own surface at the start. (e) To the kernel's. (f) Both at the end of the flow, against width.
"""

from __future__ import annotations

import numpy as np

from dirconv.figures import Drawing, Figure, Source, Table, stack, style

NUMERICS = 1
FIGURE = Figure(tables=("path", "surfaces", "grid", "points"), problems=("planar",))
COLUMNS = ["run", "network", "seed", "quantity", "tau", "x", "y", "value"]
TITLES = {"kernel": "kernel, maximum margin", "start": "network, early", "end": "network, late"}
ANGLES = {
    "to_start": ("turned since ℒ = ℓ(0)", style.TAU, "angle (rad)"),
    "to_kernel": ("from the kernel's predictor", style.TAU, "angle (rad)"),
}
LEVELS = np.linspace(-1, 1, 21)


def draw(sources: list[Source]) -> Drawing:
    """The picture, and its data: quantity `surface: …` on the grid (value f/max|f|), `label` of the points, angles."""
    sources = sorted(sources, key=_width)
    palette = style.colours(source.run for source in sources)
    widest = next(source for source in sources if _width(source) == _width(sources[-1]))
    grid, points = widest.tables["grid"], widest.tables["points"]
    parts = [grid.assign(quantity="surface: " + grid["surface"], **widest.identity), widest.part(points, "label")]
    for source in sources:
        parts += [source.part(source.tables["surfaces"], name) for name in ANGLES]
    table = stack(parts, COLUMNS)

    picture, axes = style.panels(2, 3, 4.7)
    for panel, (name, title) in zip(axes[0], TITLES.items(), strict=True):
        image = _surface(panel, grid[grid["surface"] == name], points)
        panel.set(title=title, xlabel="$x_1$", ylabel="$x_2$" if name == "kernel" else "")
    picture.colorbar(image, ax=axes[0, 2], shrink=0.85, label="$f/\\max|f|$", ticks=[-1, 0, 1])
    for panel, _, rows in style.by_quantity(axes[1, :2], table, ANGLES):
        style.curves(panel, rows, "tau", "value", palette)
        panel.set_ylim(bottom=0)
    last = axes[1, 2]
    for source in sources:
        end, colour = source.tables["surfaces"].iloc[-1], palette[source.run]
        last.plot(0.96 * _width(source), end["to_start"], "o", color=colour, alpha=0.8)
        last.plot(1.04 * _width(source), end["to_kernel"], "s", color=colour, alpha=0.8, markerfacecolor="none")
    last.set_xscale("log")
    widths = sorted({_width(source) for source in sources})
    last.set_xticks(widths, [str(width) for width in widths])
    last.minorticks_off()
    last.set(title="at the end", xlabel="width", ylabel="angle (rad)")
    last.set_ylim(bottom=0)
    for name, face in (("turned", "0.4"), ("from the kernel", "none")):
        last.plot([], [], "o" if name == "turned" else "s", color="0.4", markerfacecolor=face, markersize=4, label=name)
    last.legend(loc="upper center", ncols=2, handletextpad=0.1, columnspacing=0.8)
    last.set_ylim(top=1.2 * last.get_ylim()[1])
    return style.finished(picture, axes, sources, palette), table


def _width(source: Source) -> int:
    return source.specification["problem"]["width"]


def _surface(axes, grid: Table, points: Table):
    """Draw a predictor on the grid, its decision boundary and the data; return the filled contours."""
    shaped = grid.pivot(index="y", columns="x", values="value")
    x, y, values = shaped.columns.to_numpy(), shaped.index.to_numpy(), shaped.to_numpy()
    image = axes.contourf(x, y, values, levels=LEVELS, cmap="RdBu_r")
    axes.contour(x, y, values, levels=[0.0], colors="k", linewidths=1.0)
    for label, face in ((1, "#b2182b"), (-1, "#2166ac")):
        chosen = points[points["label"] == label]
        axes.scatter(chosen["x"], chosen["y"], s=11, c=face, edgecolors="w", linewidths=0.5, zorder=3)
    axes.set(aspect="equal", xticks=[-1, 0, 1], yticks=[-1, 0, 1])
    return image
