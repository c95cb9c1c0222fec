"""Residual networks: does the direction converge, does the gradient align, and of what degree is the network?

(a) Path length ζ and (b) cos of W with the flow's velocity, against ln(1/ℒ), which networks without a degree have too.
(c) The degree that the network seems to have where it is, ⟨W, ∇p_i⟩/p_i: median over the training images, band from 5
to 95 %. Where the network is homogeneous it is one number for all images and all along; where it becomes so it tends
to that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dirconv.figures import positive, stack, style, thin

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from dirconv.figures import Source

CLAIMED = True
TABLES = ()
OPTIONAL = ("path", "degree")  # a run's path, or its probe's degrees: they stand in folders of their own
PROBES = ("degree",)
COLUMNS = ["run", "network", "seed", "quantity", "log_inverse_risk", "value", "low", "high"]


def draw(sources: list[Source]) -> tuple[Figure, pd.DataFrame]:
    """The figure, and its data: a row a point, quantity `zeta`, `cos` or `degree`."""
    palette = style.colours(source.run for source in sources)
    parts = []
    for source in sources:
        if "path" in source.tables and source.tables["path"]["below"].any():
            path = positive(source.path, "log_inverse_risk")
            for quantity in ("zeta", "cos"):
                rows = thin(path.assign(quantity=quantity, value=path[quantity]), quantity)
                parts.append(rows.assign(**source.identity))
        if "degree" in source.tables:
            rows = positive(source.snapshots("degree"), "log_inverse_risk")
            rows = rows.assign(quantity="degree", value=rows["degree_q50"], **source.identity)
            parts.append(rows.rename(columns={"degree_q05": "low", "degree_q95": "high"}))
    table = stack(parts, COLUMNS)
    drawn = set(table["run"])

    figure, (axes,) = style.panels(1, 3, 2.8)
    for one, (quantity, title, label) in zip(
        axes,
        (
            ("zeta", "path length", r"$\zeta$ (rad)"),
            ("cos", "alignment", style.COS),
            ("degree", "degree where it is", r"$\langle W, \nabla p\rangle/p$"),
        ),
        strict=True,
    ):
        rows = table[table["quantity"] == quantity]
        more = {"marker": "o", "markersize": 2.4, "markeredgewidth": 0} if quantity == "degree" else {}
        style.curves(one, rows, "log_inverse_risk", "value", palette, **more)
        if quantity == "degree":
            for (run, _), known in rows.dropna(subset=["low", "high"]).groupby(["run", "seed"], sort=False):
                x, low, high = (known[name].astype(float) for name in ("log_inverse_risk", "low", "high"))
                one.fill_between(x, low, high, color=palette[run], alpha=0.2, linewidth=0)
            _frame(one, rows["value"].astype(float))
        style.log(one, x=True)
        one.set(title=title, xlabel=style.LOG_INVERSE_RISK, ylabel=label)
    style.lettered(axes)
    legend = {(source.run, source.seed): source for source in sources if source.run in drawn}  # of two folders, one
    style.runs_legend(figure, list(legend.values()), palette)
    return figure, table


def _frame(axes, medians: pd.Series) -> None:
    """Not wider than the medians need by much: a quotient has no bound where an image's margin is next to zero."""
    if medians.notna().any():
        room = max(medians.max() - medians.min(), 1.0)
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, medians.min() - room), min(high, medians.max() + room))
