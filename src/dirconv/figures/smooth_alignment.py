r"""Alignment where gradients are locally Lipschitz: 1 − cos ∠(W, −∇ℒ) at the point itself, and tan ∠.

Theorem 4.1 of the paper: −∇ℒ aligns with W. κ is the exponent of e^(−κτ) fitted to tan ∠ over the second half of each
curve, the median over seeds and their range, so that tan ∠ falls like 1/‖W‖^κ. Where tan ∠ is below ten times the
rounding error of ln q nothing is drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dirconv.claims.fits import rate
from dirconv.figures import positive, reached, stack, style, thin

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from dirconv.figures import Source

TABLES = ("path",)
PROBLEMS = ("deep_linear", "squared_relu")
COLUMNS = ["run", "network", "seed", "quantity", "tau", "value"]


def draw(sources: list[Source]) -> tuple[Figure, pd.DataFrame]:
    """The figure, and its data: quantity `misalignment` (1 − cos) or `tan`. A polynomial tail is left out."""
    sources = [source for source in sources if source.record["specification"]["loss"] != "polynomial"]
    palette = style.colours(source.run for source in sources)
    shown = reached(sources, "path")
    parts, exponents = [], {}
    for source in shown:
        path = source.path
        path = positive(thin(path[path["tan"] > 10 * path["resolution"]], "tan"), "tan")
        # 1 − cos = 1 − 1/√(1 + tan²), without cancellation
        square = path["tan"] ** 2
        root = np.sqrt(1 + square)
        parts.append(path.assign(quantity="misalignment", value=square / (root * (1 + root)), **source.identity))
        parts.append(path.assign(quantity="tan", value=path["tan"], **source.identity))
        found = rate(path["tau"].to_numpy(), path["tan"].to_numpy())
        if found is not None:
            exponents.setdefault(source.run, []).append(found[0])
    table = stack(parts, COLUMNS)

    figure, (axes,) = style.panels(1, 2, 3.3)
    labels = {"misalignment": r"$1-\cos\angle(W, -\nabla\mathcal{L})$", "tan": r"$\tan\angle(W, -\nabla\mathcal{L})$"}
    for one, (name, label) in zip(axes, labels.items(), strict=True):
        style.curves(one, table[table["quantity"] == name], "tau", "value", palette, alpha=0.6, linewidth=0.8)
        style.log(one, y=True)
        one.set(xlabel=style.TAU, ylabel=label)
    if axes[1].lines:
        axes[1].set_ylim(bottom=axes[1].get_ylim()[0] * 1e-5)  # room for the exponents
    names = {source.run: source.network for source in shown}
    text = [
        f"{names[run]}: κ = {np.median(values):.2f} [{np.min(values):.2f}, {np.max(values):.2f}]"
        for run, values in exponents.items()
    ]
    axes[1].text(
        0.02, 0.02, "\n".join(text), transform=axes[1].transAxes, fontsize=5.5, va="bottom",
        bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0},
    )  # fmt: skip
    style.lettered(axes)
    style.runs_legend(figure, shown, palette)
    return figure, table
