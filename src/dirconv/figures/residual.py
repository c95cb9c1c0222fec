"""Residual networks: does the direction converge, does the velocity align with W, and what is the network's degree?

All panels are against ln(1/ℒ), which networks without a degree have too. (a) The path's length ζ. (b) cos of the angle
between W and the flow's velocity. (c) The local degree at the current weights, ⟨W, ∇p_i⟩/p_i: the median over training
images, with a band from 5 to 95 %. For a homogeneous network it is one number for all images all along; for a network
that becomes homogeneous it tends to such a number.
"""

from __future__ import annotations

from dirconv.figures import Column, Drawing, Figure, Source, positive, stack, style, thin

NUMERICS = 1

# a source is a run, with its path, or the run's probe, with its degrees: each has a folder of its own
FIGURE = Figure(tables=(), optional=("path", "degree"), claimed=True, probes=("degree",))
COLUMNS = ["run", "network", "seed", "quantity", "log_inverse_risk", "value", "low", "high"]
PANELS = {
    "zeta": ("path length", style.LOG_INVERSE_RISK, r"$\zeta$ (rad)"),
    "cos": ("alignment", style.LOG_INVERSE_RISK, style.COS),
    "degree": ("degree where it is", style.LOG_INVERSE_RISK, r"$\langle W, \nabla p\rangle/p$"),
}


def draw(sources: list[Source]) -> Drawing:
    """The picture, and its data: a row a point, quantity `zeta`, `cos` or `degree`."""
    palette = style.colours(source.run for source in sources)
    parts = []
    for source in sources:
        if "path" in source.tables and source.tables["path"]["below"].any():
            path = positive(source.path, "log_inverse_risk")
            for quantity in ("zeta", "cos"):
                parts.append(source.part(thin(path, quantity), quantity))
        if "degree" in source.tables:
            rows = positive(source.snapshots("degree"), "log_inverse_risk")
            columns = {"low": rows["degree_q05"], "high": rows["degree_q95"]}
            parts.append(source.part(rows, "degree", rows["degree_q50"], **columns))
    table = stack(parts, COLUMNS)
    drawn = set(table["run"])

    picture, (axes,) = style.panels(1, 3, 2.8)
    for panel, quantity, rows in style.by_quantity(axes, table, PANELS):
        dots = {**style.DOTS, "markersize": 2.4} if quantity == "degree" else {}
        style.curves(panel, rows, "log_inverse_risk", "value", palette, **dots)
        if quantity == "degree":
            for (run, _), known in rows.dropna(subset=["low", "high"]).groupby(["run", "seed"], sort=False):
                x, low, high = (known[name].astype(float) for name in ("log_inverse_risk", "low", "high"))
                panel.fill_between(x, low, high, color=palette[run], alpha=0.2, linewidth=0)
            _limit_height(panel, rows["value"].astype(float))
        style.log(panel, x=True)
    # a run and its probe count once
    legend = {(source.run, source.seed): source for source in sources if source.run in drawn}
    return style.finished(picture, axes, list(legend.values()), palette), table


def _limit_height(axes, medians: Column) -> None:
    """Limit the axis to little more than the medians' range: the quotient is unbounded where a margin is near zero."""
    if medians.notna().any():
        room = max(medians.max() - medians.min(), 1.0)
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, medians.min() - room), min(high, medians.max() + room))
