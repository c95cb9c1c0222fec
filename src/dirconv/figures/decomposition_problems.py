r"""The rates of ã and ζ in τ on small problems, each in two ways: forward along −∇ℒ, and as radial plus spherical part.

(a) d ln ã/dτ for the first seeds: circles are the left side, margins differentiated forward, lines the right, from
gradients. (b) The relative difference of the two sides against the rounding error of ln q at the same point, every seed
and both rates: margins of size ρ are known to ρ · 10⁻¹⁵, and so is whatever the weights q decide. Differences of
exactly zero are not on logarithmic axes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dirconv.figures import first_seeds, positive, reached, stack, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from dirconv.figures import Source

TABLES = ("path", "decomposition")
PROBLEMS = ("deep_linear", "squared_relu", "planar")
COLUMNS = ["run", "network", "seed", "rate", "quantity", "tau", "resolution", "value"]


def draw(sources: list[Source]) -> tuple[Figure, pd.DataFrame]:
    """The figure, and its data: a row a kept point and `rate`; quantity `forward`, `parts` or `difference`."""
    sources = [source for source in sources if source.record["specification"]["loss"] != "polynomial"]
    palette = style.colours(source.run for source in sources)
    shown = reached(sources, "decomposition")
    firsts = {(source.run, source.seed) for source in first_seeds(shown)}
    parts = []
    for source in shown:
        rows = source.snapshots("decomposition")
        rows = rows.assign(rate=rows["quantity"], **source.identity)
        parts.append(rows.assign(quantity="difference", value=rows["difference"]))
        if (source.run, source.seed) in firsts:
            parts.append(rows.assign(quantity="forward", value=rows["left"]))
            parts.append(rows.assign(quantity="parts", value=rows["radial"] + rows["spherical"]))
    table = positive(stack(parts, COLUMNS), "value")

    figure, (axes,) = style.panels(1, 2, 3.3)
    margin = table[table["rate"] == "smoothed_margin"]
    style.curves(axes[0], margin[margin["quantity"] == "parts"], "tau", "value", palette)
    style.curves(
        axes[0], margin[margin["quantity"] == "forward"], "tau", "value", palette,
        linestyle="", marker="o", markersize=2.6, markeredgewidth=0, alpha=0.6,
    )  # fmt: skip
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
    style.lettered(axes)
    style.runs_legend(figure, shown, palette, style.guide("10⁻⁶; difference = rounding"))
    return figure, table
