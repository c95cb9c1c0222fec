r"""Do discrete methods go where the flow goes? Each starts at the flow's starting point.

(a, b) The angle between gradient descent's direction and the flow's at equal τ, against the step size as a share of
2/λ. λ is the largest curvature at the start; a quadratic would just not diverge at a share of one. An open circle means
that the risk was above ℓ(0) when τ was passed: the iterates had left the path or were diverging. (c) The angle against
τ for several methods, for the first run. Plain descent of ℒ with a constant step gets no further than a small τ. (d)
ln(1/ℒ) against the number of steps, for the same run and methods. In (a) to (c) lines are medians over seeds and bands
reach from the least to the greatest; in (d) lines are medians.
"""

from __future__ import annotations

import numpy as np

from dirconv.figures import Drawing, Figure, Source, Table, stack, style

NUMERICS = 2
FIGURE = Figure(tables=("path", "descents"), claimed=True)
COLUMNS = ["run", "network", "seed", "method", "fraction", "batch", "step_size", "last", "tau", "steps", "ln_risk",
           "angle", "label"]  # fmt: skip
NAMES = {"gd": "descent of ℒ", "ln_gd": "descent of ln ℒ", "sgd": "SGD", "momentum": "momentum", "adam": "Adam"}
FRACTIONS = {"gd": (0.25,), "ln_gd": (0.25, 1.0)}  # step sizes, as shares of 2/λ, of the panels over τ and steps
COMPARED_AT = {"gd": (0.02, 0.06), "ln_gd": (0.1, 0.3)}  # the panels over the step size show the landings nearest to
LANDED = 6  # decimal places to which the τ of a landing are the same for all seeds


def draw(sources: list[Source]) -> Drawing:
    """The picture, and its data: a row a method, step size and τ, as in the table `descents`."""
    parts = []
    for source in sources:
        rows = source.tables["descents"]
        parts.append(rows.assign(label=[_label(row) for row in rows.itertuples()], **source.identity))
    table = stack(parts, COLUMNS)
    table["tau"] = table["tau"].round(LANDED)

    picture, axes = style.panels(2, 2, 5.2)
    runs = list(dict.fromkeys(table["run"]))
    names = {source.run: source.short_name for source in sources}
    ln_at_zero = max((source.ln_at_zero for source in sources), default=0.0)
    for i, panel in enumerate(axes[0]):
        if i < len(runs):
            _step_sizes(panel, table[(table["run"] == runs[i]) & ~table["last"].astype(bool)], ln_at_zero)
            panel.set_title(f"step sizes, {names[runs[i]]}")
        else:
            style.empty(panel, "one run only")
    first = table[table["run"] == runs[0]] if runs else table
    chosen = first[first["label"].notna() & ~first["last"].astype(bool)]
    palette = style.colours(dict.fromkeys(chosen["label"]))
    style.band(axes[1, 0], chosen, "tau", "angle", palette, by="label")
    style.log(axes[1, 0], y=True)
    first_name = names[runs[0]] if runs else ""
    axes[1, 0].set(title=f"methods, {first_name}", xlabel=style.TAU, ylabel="angle to the flow (rad)")
    for label, rows in chosen.groupby("label", sort=False):
        median = rows.groupby("tau")[["steps", "ln_risk"]].median()
        axes[1, 1].plot(median["steps"], -median["ln_risk"], color=palette[label], label=label)
    style.log(axes[1, 1], x=True, y=True)
    axes[1, 1].set(title=f"how far they get, {first_name}", xlabel="steps", ylabel=style.LOG_INVERSE_RISK)
    for panel, where, columns in ((axes[0, 0], "upper", 3), (axes[1, 1], "lower", 4)):
        handles, labels = panel.get_legend_handles_labels()
        if handles:
            picture.legend(handles, labels, loc=f"outside {where} center", ncols=columns)
    style.lettered(axes)
    return picture, table


def _label(row) -> str | None:
    """A method's name in (c) and (d); None for step sizes that only (a) and (b) show."""
    if row.fraction not in FRACTIONS.get(row.method, [row.fraction]):
        return None
    option = {
        "ln_gd": f", {row.fraction:g} of 2/λ",
        "sgd": f", batch {row.batch:g}",
        "adam": f", η = {row.step_size:g}",
    }
    return NAMES[row.method] + option.get(row.method, "")


def _step_sizes(axes, table: Table, ln_at_zero: float) -> None:
    """The angle to the flow, at landings near given τ, against the step size; open circles where ln ℒ > ln ℓ(0)."""
    import seaborn

    colours = seaborn.color_palette("colorblind")
    medians = []
    for (method, taus), colour in zip(COMPARED_AT.items(), (colours[0], colours[3]), strict=True):
        for tau, line in zip(taus, ("-", (0, (1, 1))), strict=True):
            rows = table[table["method"] == method]
            if rows.empty:
                continue
            nearest = rows["tau"].iloc[(rows["tau"] - tau).abs().argmin()]
            rows = rows[rows["tau"] == nearest]
            groups = rows.groupby("fraction")
            angle = groups["angle"].agg(["median", "min", "max"])
            above = angle.index[groups["ln_risk"].median() > ln_at_zero]
            axes.plot(angle.index, angle["median"], "o", linestyle=line, color=colour, markersize=3,
                      label=f"{NAMES[method]}, τ = {nearest:.2g}")  # fmt: skip
            axes.plot(above, angle.loc[above, "median"], "o", color=colour, markerfacecolor="white", markersize=3.6)
            axes.fill_between(angle.index, angle["min"], angle["max"], color=colour, alpha=0.15, linewidth=0)
            medians.append(angle["median"])
    if not medians:
        style.empty(axes, "nothing to show")
        return
    x = np.array([min(median.index.min() for median in medians), 0.5])
    axes.plot(x, 0.5 * min(median.min() for median in medians) * x / x[0], **style.GUIDE, label="slope 1")
    axes.axvline(1, **{**style.GUIDE, "linestyle": ":"})
    style.log(axes, x=True, y=True)
    axes.set(xlabel=r"step size, share of $2/\lambda$", ylabel="angle to the flow (rad)")
