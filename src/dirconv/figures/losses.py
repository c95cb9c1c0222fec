"""Several losses from one start on one network: does each flow go to the same direction?

(a) The angle between the function (the outputs at all images) along each loss's own flow and the function at the end of
the exponential loss's flow, for the first run; (b) the same for the second run. The exponential's own curve ends one
point early, at zero, and curves that share its limit bend down with it. What tells losses apart is which curves stop
falling. (c) For a linear network, the angle of its product to the maximum-margin direction, which is known exactly. (d)
For the last run, the normalized margin over the exponential loss's margin at the end. Lines are medians over seeds;
bands reach from the least to the greatest.
"""

from __future__ import annotations

from dirconv.figures import Drawing, Figure, Source, stack, style

NUMERICS = 1
FIGURE = Figure(tables=("losses",), claimed=True)
COLUMNS = ["run", "network", "seed", "loss", "tau", "function_to_end", "to_best", "margin", "share"]
NAMES = {"cubic": r"$e^{-z^3}$", "polynomial": "polynomial tail"}


def draw(sources: list[Source]) -> Drawing:
    """The picture, and its data: a row a run, seed, loss and kept point with ℒ < ℓ(0)."""
    from matplotlib.lines import Line2D

    parts = []
    for source in sources:
        rows = source.tables["losses"]
        rows = rows[rows["below"]].round({"tau": 6})
        end = rows.loc[rows["loss"] == "exponential", "margin"]
        parts.append(rows.assign(share=rows["margin"] / (end.iloc[-1] if len(end) else 1.0), **source.identity))
    table = stack(parts, COLUMNS)
    palette = style.colours(dict.fromkeys(table["loss"]))
    runs = list(dict.fromkeys(table["run"]))
    names = {source.run: source.short_name for source in sources}

    picture, axes = style.panels(2, 2, 4.6)
    for i, panel in enumerate(axes[0]):
        if i >= len(runs):
            style.empty(panel, "one run only" if runs else style.NO_START)
            continue
        rows = table[(table["run"] == runs[i]) & (table["function_to_end"] > 0)]
        style.band(panel, rows, "tau", "function_to_end", palette, by="loss")
        style.log(panel, y=True)
        panel.set(title=f"function, {names[runs[i]]}: to the exponential's end", xlabel=style.TAU, ylabel="angle (rad)")
    linear = table.dropna(subset="to_best")
    style.band(axes[1, 0], linear, "tau", "to_best", palette, by="loss")
    style.log(axes[1, 0], y=True)
    axes[1, 0].set(title="linear: product to the maximum margin", xlabel=style.TAU, ylabel="angle (rad)")
    last = table[table["run"] == runs[-1]] if runs else table
    style.band(axes[1, 1], last, "tau", "share", palette, by="loss")
    name = names[runs[-1]] if runs else ""
    axes[1, 1].set(title=f"margin, {name}", xlabel=style.TAU, ylabel="over the exponential's last")
    if axes[1, 1].lines:
        axes[1, 1].axhline(1, **style.GUIDE)
    handles = [Line2D([], [], color=colour, label=NAMES.get(loss, loss)) for loss, colour in palette.items()]
    if handles:
        picture.legend(handles=handles, loc="outside upper center", ncols=4)
    style.lettered(axes)
    return picture, table
