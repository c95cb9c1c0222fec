r"""Discrete methods against the flow from the same point: do they go where it goes?

(a, b) The angle between gradient descent's direction and the flow's at equal τ, against the step size as a share of
2/λ, λ the largest curvature where they start: at one a quadratic would just not diverge. Open circles: the risk was
above ℓ(0) when τ was passed, so the iterates had left the path or were flying apart. (c) The angle against τ for
several methods, of the first run; plain descent of ℒ with a constant step gets no further than a small τ. (d) How far
ln(1/ℒ) gets in how many steps, of the same. Median over seeds, band from least to greatest.
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
TABLES = ("path", "descents")
COLUMNS = ["run", "network", "seed", "method", "fraction", "batch", "step_size", "last", "tau", "steps", "ln_risk",
           "angle", "label"]  # fmt: skip
NAMES = {"gd": "descent of ℒ", "ln_gd": "descent of ln ℒ", "sgd": "SGD", "momentum": "momentum", "adam": "Adam"}
LADDERS = (("gd", (0.02, 0.06)), ("ln_gd", (0.1, 0.3)))  # and the τ at which each is compared


def draw(sources: list[Source]) -> tuple[Figure, pd.DataFrame]:
    """The figure, and its data: a row a method, step size and τ, as in the table `descents`."""
    parts = []
    for source in sources:
        rows = source.tables["descents"]
        parts.append(rows.assign(label=[_label(row) for row in rows.itertuples()], **source.identity))
    table = stack(parts, COLUMNS)

    figure, axes = style.panels(2, 2, 5.2)
    runs = list(dict.fromkeys(table["run"]))
    names = {source.run: _bands.short(source) for source in sources}
    at_zero = max((source.ln_at_zero for source in sources), default=0.0)
    for i, one in enumerate(axes[0]):
        if i < len(runs):
            _ladders(one, table[(table["run"] == runs[i]) & ~table["last"].astype(bool)], at_zero)
            one.set_title(f"step sizes, {names[runs[i]]}")
        else:
            style.empty(one, "one run only")
    first = table[table["run"] == runs[0]] if runs else table
    chosen = first[first["label"].notna() & ~first["last"].astype(bool)]
    palette = style.colours(dict.fromkeys(chosen["label"]))
    _bands.band(axes[1, 0], chosen, "tau", "angle", palette, by="label")
    style.log(axes[1, 0], y=True)
    first_name = names[runs[0]] if runs else ""
    axes[1, 0].set(title=f"methods, {first_name}", xlabel=style.TAU, ylabel="angle to the flow (rad)")
    for label, rows in chosen.groupby("label", sort=False):
        median = rows.groupby("tau")[["steps", "ln_risk"]].median()
        axes[1, 1].plot(median["steps"], -median["ln_risk"], color=palette[label], label=label)
    style.log(axes[1, 1], x=True, y=True)
    axes[1, 1].set(title=f"how far they get, {first_name}", xlabel="steps", ylabel=style.LOG_INVERSE_RISK)
    for axes_, where, columns in ((axes[0, 0], "upper", 3), (axes[1, 1], "lower", 4)):
        handles, labels = axes_.get_legend_handles_labels()
        if handles:
            figure.legend(handles, labels, loc=f"outside {where} center", ncols=columns)
    style.lettered(axes.flat)
    return figure, table


def _label(row) -> str | None:
    """What a method is called in (c) and (d); None for the step sizes that only (a) and (b) show."""
    if row.method in ("gd", "ln_gd") and row.fraction not in (0.25, 1.0):
        return None
    if row.method == "gd" and row.fraction == 1.0:
        return None
    name = NAMES[row.method]
    if row.method == "ln_gd":
        return f"{name}, {row.fraction:g} of 2/λ"
    if row.method == "sgd":
        return f"{name}, batch {row.batch:g}"
    if row.method == "adam":
        return f"{name}, η = {row.step_size:g}"
    return name


def _ladders(axes, table: pd.DataFrame, at_zero: float) -> None:
    import seaborn

    colours = seaborn.color_palette("colorblind")
    drawn = []
    for (method, taus), colour in zip(LADDERS, (colours[0], colours[3]), strict=True):
        for tau, line in zip(taus, ("-", (0, (1, 1))), strict=True):
            rows = table[(table["method"] == method) & np.isclose(table["tau"], tau)]
            if rows.empty:
                continue
            groups = rows.groupby("fraction")
            found = groups["angle"].agg(["median", "min", "max"])
            above = found.index[groups["ln_risk"].median() > at_zero]
            axes.plot(found.index, found["median"], "o", linestyle=line, color=colour, markersize=3,
                      label=f"{NAMES[method]}, τ = {tau:g}")  # fmt: skip
            axes.plot(above, found.loc[above, "median"], "o", color=colour, markerfacecolor="white", markersize=3.6)
            axes.fill_between(found.index, found["min"], found["max"], color=colour, alpha=0.15, linewidth=0)
            drawn.append(found["median"])
    if not drawn:
        style.empty(axes, "nothing to show")
        return
    x = np.array([min(one.index.min() for one in drawn), 0.5])
    axes.plot(x, 0.5 * min(one.min() for one in drawn) * x / x[0], **style.GUIDE, label="slope 1")
    axes.axvline(1, **{**style.GUIDE, "linestyle": ":"})
    style.log(axes, x=True, y=True)
    axes.set(xlabel=r"step size, share of $2/\lambda$", ylabel="angle to the flow (rad)")
