"""Test error, test loss, test margins and robustness from ℒ = ℓ(0) on, against ln(1/ℒ).

(a) Test error. (b) ln of the mean test loss, on an axis that is linear about zero; single images that stay
misclassified make it grow like the margins. (c) Normalized test margins of the first run: the median over images, the
quartiles, and the 5 % and 95 % quantiles. (d) L2 distance of test images to the decision boundary, median over images.
Solid: found by an attack, an upper bound. Dotted: the first-order estimate. Dashed: the certified lower bound, where
there is one. Lines are medians over seeds; bands in (a), (b) and (d) reach from the least to the greatest. Between
measured points lines are interpolated; these points are evenly spaced in τ and therefore far apart at first.
"""

from __future__ import annotations

import numpy as np

from dirconv.figures import Drawing, Figure, Source, Table, _curves, stack, style

NUMERICS = 1
GOES_THROUGH = ("tail_statistics",)
FIGURE = Figure(tables=("generalization",), claimed=True)
QUANTITIES = ("test_error", "ln_mean_test_loss", "margin_q05", "margin_q25", "margin_q50", "margin_q75", "margin_q95",
              "radius_attack_q50", "radius_first_order_q50", "radius_certified_q50")  # fmt: skip
COLUMNS = ["run", "network", "seed", "log_inverse_risk", *QUANTITIES]
FIRST_LOG_INVERSE_RISK = 0.5  # where curves begin


def draw(sources: list[Source]) -> Drawing:
    """The picture, and its data: a row a run, seed and place along the axis."""
    palette = style.colours(source.run for source in sources)
    shown = []
    for source in sources:
        rows = source.tables["generalization"]
        rows = rows[rows["below"].cummax() & (-rows["ln_risk"] > 0)]
        if len(rows) > 1:
            shown.append((source, rows))
    parts = []
    for source, rows in shown:
        last = min(-of_seed["ln_risk"].iloc[-1] for other, of_seed in shown if other.run == source.run)
        at = _curves.log_spaced(FIRST_LOG_INVERSE_RISK, last, 40)
        rows = rows.assign(x=np.log(-rows["ln_risk"]))
        part = {"log_inverse_risk": at.round(9)}
        for quantity in QUANTITIES:
            if quantity in rows and rows[quantity].notna().any():
                part[quantity] = _curves.interpolated(rows, "x", quantity, np.log(at))[quantity].to_numpy()
        parts.append(rows.iloc[:0].reindex(range(len(at))).assign(**part, **source.identity))
    table = stack(parts, COLUMNS)

    picture, axes = style.panels(2, 2, 4.8)
    x = "log_inverse_risk"
    style.band(axes[0, 0], table, x, "test_error", palette)
    axes[0, 0].set(title="test error", ylabel="share of the test images")
    if axes[0, 0].lines:
        axes[0, 0].set_ylim(bottom=0)
    style.band(axes[0, 1], table, x, "ln_mean_test_loss", palette)
    axes[0, 1].set(title="test loss", ylabel="ln(mean test loss)")
    if axes[0, 1].lines:
        axes[0, 1].set_yscale("symlog", linthresh=1)
        axes[0, 1].axhline(0, **style.GUIDE)
    _margins(axes[1, 0], table)
    style.band(axes[1, 1], table, x, "radius_attack_q50", palette)
    guides = {}
    lines = (("radius_first_order_q50", ":", "first order"), ("radius_certified_q50", (0, (4, 2)), "certified"))
    for quantity, line, name in lines:
        for run, rows in table.dropna(subset=quantity).groupby("run", sort=False):
            median = rows.groupby(x)[quantity].median()
            axes[1, 1].plot(median.index, median, color=palette[run], linestyle=line, linewidth=1.0)
            guides[name] = style.guide(name, color="0.2", linestyle=line)
    axes[1, 1].set(title="distance to the decision boundary", ylabel="L2, standardized pixels")
    for panel in axes.flat:
        style.log(panel, x=True, y=panel is axes[1, 1])
        panel.set_xlabel(style.LOG_INVERSE_RISK)
    return style.finished(picture, axes, [source for source, _ in shown], palette, *guides.values()), table


def _margins(axes, table: Table) -> None:
    """Quantiles over images of the first run that has them, each the median over seeds."""
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
