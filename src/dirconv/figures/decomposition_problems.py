r"""The rates d ln ã/dτ and dζ/dτ on small problems, each in two ways: along −∇ℒ, and as radial plus spherical part.

(a) d ln ã/dτ for the first seeds. Circles: the left side, margins differentiated forward. Lines: the right side, from
gradients. (b) The relative difference of the two sides against the rounding error of ln q at the same point, for every
seed and both rates. Margins of size ρ are known to ρ · 10⁻¹⁵, and so is everything that the weights q decide; the
dashed diagonal is where the difference equals that error. Axes are logarithmic: differences of exactly zero are left
out.
"""

from __future__ import annotations

import numpy as np

from dirconv.figures import Drawing, Figure, Source, exponential_tails, first_seeds, positive, separating, stack, style

NUMERICS = 1
FIGURE = Figure(tables=("path", "decomposition"), problems=("deep_linear", "squared_relu", "planar"))
COLUMNS = ["run", "network", "seed", "rate", "quantity", "tau", "resolution", "value"]


def draw(sources: list[Source]) -> Drawing:
    """The picture, and its data: a row a kept point and `rate`; quantity `forward`, `parts` or `difference`."""
    sources = exponential_tails(sources)
    palette = style.colours(source.run for source in sources)
    shown = separating(sources, "decomposition")
    firsts = first_seeds(shown)
    parts = []
    for source in shown:
        rows = source.snapshots("decomposition")
        rows = rows.assign(rate=rows["quantity"])
        parts.append(source.part(rows, "difference"))
        if source in firsts:
            parts.append(source.part(rows, "forward", rows["left"]))
            parts.append(source.part(rows, "parts", rows["radial"] + rows["spherical"]))
    table = positive(stack(parts, COLUMNS), "value")

    picture, (axes,) = style.panels(1, 2, 3.3)
    margin = table[table["rate"] == "smoothed_margin"]
    style.curves(axes[0], margin[margin["quantity"] == "parts"], "tau", "value", palette)
    dots = {"linestyle": "", "alpha": 0.6, **style.DOTS}
    style.curves(axes[0], margin[margin["quantity"] == "forward"], "tau", "value", palette, **dots)
    style.log(axes[0], y=True)
    axes[0].set(title="rate of the smoothed margin", xlabel=style.TAU, ylabel=r"$d\ln\tilde a/d\tau$")
    differences = table[table["quantity"] == "difference"]
    for run, rows in differences.groupby("run", sort=False):
        axes[1].plot(rows["resolution"], rows["value"], ".", color=palette[run], markersize=2, alpha=0.5)
    if len(differences):
        ends = np.array([differences["resolution"].min(), differences["resolution"].max()])
        axes[1].plot(ends, ends, **style.GUIDE)
    style.log(axes[1], x=True, y=True)
    axes[1].axhline(1e-6, **style.GUIDE)
    axes[1].set(title="the two sides", xlabel="rounding error of ln q", ylabel="relative difference")
    return style.finished(picture, axes, shown, palette, style.guide("10⁻⁶; difference = rounding")), table
