r"""Deep linear networks: the product's angle to the maximum-margin direction, and how the layers become of rank one.

The direction of maximum margin is that of the hard-margin support vector machine, solved exactly. κ is the exponent of
e^(−κτ) fitted to the second half of each curve, the median over seeds and their range: the angle falls like 1/‖W‖^L
where the support vectors span the space, like 1/‖W‖ where they do not, since what the first layer holds orthogonal to
them is no longer moved. A loss with a polynomial tail goes elsewhere. Angles below 10⁻¹² are rounding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dirconv.claims.fits import rate
from dirconv.figures import stack, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from dirconv.figures import Source

TABLES = ("path", "limit", "factors")
PROBLEMS = ("deep_linear",)
COLUMNS = ["run", "network", "seed", "quantity", "tau", "value"]
QUANTITIES = {
    "angle": "angle to the max-margin direction (rad)",
    "ratio": r"largest $\sigma_2/\sigma_1$ of a layer",
    "neighbour": "largest angle between neighbours (rad)",
}


def draw(sources: list[Source]) -> tuple[Figure, pd.DataFrame]:
    """The figure, and its data: a row a kept point, quantity `angle`, `ratio` or `neighbour`."""
    palette = style.colours(source.run for source in sources)
    parts, exponents = [], {}
    for source in sources:
        limit = source.tables["limit"]
        parts.append(limit.assign(quantity="angle", value=limit["angle"], **source.identity))
        worst = source.tables["factors"].groupby("snapshot", as_index=False)[["tau", "ratio", "neighbour"]].max()
        for name in ("ratio", "neighbour"):
            if worst[name].notna().any():  # a single layer has no neighbour
                parts.append(worst.assign(quantity=name, value=worst[name], **source.identity))
        found = rate(limit["tau"].to_numpy(), limit["angle"].to_numpy())
        if found is not None:
            exponents.setdefault(source.run, []).append(found[0])
    table = stack(parts, COLUMNS)

    figure, (axes,) = style.panels(1, 3, 2.9)
    for one, (name, label) in zip(axes, QUANTITIES.items(), strict=True):
        shown = table[(table["quantity"] == name) & (table["value"] > 1e-17)]
        style.curves(one, shown, "tau", "value", palette, alpha=0.6, linewidth=0.8)
        style.log(one, y=True)
        one.set(xlabel=style.TAU, ylabel=label)
    axes[0].set_ylim(bottom=1e-23)  # room for the exponents
    axes[0].axhline(1e-4, **style.GUIDE)
    style.lettered(axes)
    text = []
    for run, values in exponents.items():
        low, high = np.min(values), np.max(values)
        text.append(
            f"{run.removeprefix('deep_linear_').replace('_', ' ')}: κ = {np.median(values):.2f} [{low:.2f}, {high:.2f}]"
        )
    axes[0].text(
        0.02, 0.02, "\n".join(text), transform=axes[0].transAxes, fontsize=6, va="bottom",
        bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0},
    )  # fmt: skip
    style.runs_legend(figure, sources, palette, style.guide("10⁻⁴ rad"))
    return figure, table
