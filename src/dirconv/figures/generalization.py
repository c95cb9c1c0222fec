"""From ℒ = ℓ(0) on: what becomes of test images?

(a) Test error. (b) ln of the mean test loss, on an axis that is linear about zero: single images that stay wrong
make it grow like the margins. (c) Normalized test margins of the first run: median, quartiles, and 5 and
95 %. (d) L2 distance of test images to the decision boundary, median over images: an attack's, from above; dotted the
first-order estimate; dashed the certified bound, from below, where there is one. Straight between the points that were
looked at, which are even in τ and so far apart at first. Median over seeds, band from least to
greatest. The axis is ln(1/ℒ).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dirconv.figures import _bands, stack, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from dirconv.figures import Source

CLAIMED = True
TABLES = ("generalization",)
QUANTITIES = ("test_error", "ln_mean_test_loss", "margin_q05", "margin_q25", "margin_q50", "margin_q75", "margin_q95",
              "radius_attack_q50", "radius_first_order_q50", "radius_certified_q50")  # fmt: skip
COLUMNS = ["run", "network", "seed", "log_inverse_risk", *QUANTITIES]
FIRST = 0.5  # ln(1/ℒ) from which on curves are drawn


def draw(sources: list[Source]) -> tuple[Figure, pd.DataFrame]:
    """The figure, and its data: a row a run, seed and place along the axis."""
    palette = style.colours(source.run for source in sources)
    found = {}
    for source in sources:
        rows = source.tables["generalization"]
        rows = rows[rows["below"].cummax() & (-rows["ln_risk"] > 0)]
        if len(rows) > 1:
            found[source.member] = (source, rows)
    parts = []
    for source, rows in found.values():
        ends = [-one["ln_risk"].iloc[-1] for other, one in found.values() if other.run == source.run]
        at = _bands.log_spaced(FIRST, min(ends), 40)
        rows = rows.assign(x=np.log(-rows["ln_risk"]))
        part = {"log_inverse_risk": at.round(9)}
        for quantity in QUANTITIES:
            if quantity in rows and rows[quantity].notna().any():
                part[quantity] = _bands.grid(rows, "x", quantity, np.log(at))[quantity].to_numpy()
        parts.append(rows.iloc[:0].reindex(range(len(at))).assign(**part, **source.identity))
    table = stack(parts, COLUMNS)

    figure, axes = style.panels(2, 2, 4.8)
    x = "log_inverse_risk"
    _bands.band(axes[0, 0], table, x, "test_error", palette)
    axes[0, 0].set(title="test error", ylabel="share of the test images")
    if axes[0, 0].lines:
        axes[0, 0].set_ylim(bottom=0)
    _bands.band(axes[0, 1], table, x, "ln_mean_test_loss", palette)
    axes[0, 1].set(title="test loss", ylabel="ln(mean test loss)")
    if axes[0, 1].lines:
        axes[0, 1].set_yscale("symlog", linthresh=1)
        axes[0, 1].axhline(0, **style.GUIDE)
    _margins(axes[1, 0], table)
    _bands.band(axes[1, 1], table, x, "radius_attack_q50", palette)
    more = {}
    lines = (("radius_first_order_q50", ":", "first order"), ("radius_certified_q50", (0, (4, 2)), "certified"))
    for quantity, line, name in lines:
        for run, rows in table.dropna(subset=quantity).groupby("run", sort=False):
            median = rows.groupby(x)[quantity].median()
            axes[1, 1].plot(median.index, median, color=palette[run], linestyle=line, linewidth=1.0)
            more[name] = style.guide(name, color="0.2", linestyle=line)
    axes[1, 1].set(title="distance to the decision boundary", ylabel="L2, standardized pixels")
    for one in axes.flat:
        style.log(one, x=True, y=one is axes[1, 1])
        one.set_xlabel(style.LOG_INVERSE_RISK)
    style.lettered(axes.flat)
    style.runs_legend(figure, [source for source, _ in found.values()], palette, *more.values())
    return figure, table


def _margins(axes, table: pd.DataFrame) -> None:
    """Quantiles over images, each the median over seeds, of the first run that has them."""
    known = table.dropna(subset="margin_q50")
    if known.empty:
        style.empty(axes, "no normalized margins")
        return
    rows = known[known["run"] == known["run"].iloc[0]]
    median = rows.groupby("log_inverse_risk")[[q for q in QUANTITIES if q.startswith("margin")]].median()
    for low, high, alpha in (("margin_q05", "margin_q95", 0.15), ("margin_q25", "margin_q75", 0.3)):
        axes.fill_between(median.index, median[low], median[high], color="0.3", alpha=alpha, linewidth=0)
    axes.plot(median.index, median["margin_q50"], color="0.1")
    axes.axhline(0, **style.GUIDE)
    name = rows["network"].iloc[0]
    axes.set(title=f"test margins, {name}", ylabel=r"$p/\Vert W\Vert^L$")
