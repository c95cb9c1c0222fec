"""One network with smooth and with nonsmooth activations: does −∇ℒ align with W, and does the velocity?

(a) 1 − cos between W and −∇ℒ at the points of the computed path. (b) The same for the velocity, computed from chords
between kept points; jumps to and fro across kinks average out in part. In (a) and (b) lines are medians over
seeds and bands reach from the least to the greatest. (c) The share of (image, hidden unit) pairs whose sign changed
between kept points; dotted, the share whose sign went back to what it was two points before. Lines in (c) are means
over seeds, since in many intervals no sign changes at all; nothing is drawn where no sign changed in any seed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dirconv.figures import Figure, _curves, separating, stack, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Picture

    from dirconv.figures import Source

NUMERICS = 1
GOES_THROUGH = ("tail_statistics",)
FIGURE = Figure(tables=("path", "limit"), claimed=True)
COLUMNS = ["run", "network", "seed", "quantity", "tau", "value"]


def draw(sources: list[Source]) -> tuple[Picture, pd.DataFrame]:
    """The picture, and its data: a row a point, quantity `at_points`, `by_chords`, `flips` or `returns`."""
    palette = style.colours(source.run for source in sources)
    shown = separating(sources, "path")
    last = _curves.last_common_tau(shown)
    parts = []
    for source in shown:
        at = _curves.log_spaced(0.05, last[source.run])
        misalignment = source.path.assign(value=1 - source.path["cos"])
        rows = _curves.interpolated(misalignment, "tau", "value", at)
        parts.append(source.part(rows, "at_points", rows["value"]))
        limit = source.tables["limit"]
        speeds = _curves.chord_speeds(limit)
        rows = speeds.assign(tau=speeds["tau"].round(6))
        parts.append(source.part(rows, "by_chords", 1 - _curves.cosine(speeds["value"])))
        for quantity in ("flips", "returns"):
            parts.append(source.part(limit.assign(tau=limit["tau"].round(6)), quantity).dropna(subset="value"))
    table = stack(parts, COLUMNS)

    picture, (axes,) = style.panels(1, 3, 2.8)
    for panel, (quantity, title, label) in zip(
        axes,
        (
            ("at_points", "gradient at the points", r"$1 - \cos\angle(W,\,-\nabla\mathcal{L})$"),
            ("by_chords", "velocity by chords", r"$1 - \cos\angle(W,\,v)$"),
            ("flips", "signs of hidden units", "share that changed"),
        ),
        strict=True,
    ):
        rows = table[table["quantity"] == quantity]
        if quantity != "flips":
            style.band(panel, rows[rows["value"] > 0], "tau", "value", palette)
        elif rows["value"].gt(0).any():
            _means(panel, rows, palette, linestyle="-", linewidth=1.2)
            _means(panel, table[table["quantity"] == "returns"], palette, linestyle=":", linewidth=1.0)
        else:
            style.empty(panel, "no sign changed")
        panel.set(title=title, xlabel=style.TAU, ylabel=label)
    for panel in axes:
        style.log(panel, x=panel is not axes[2], y=True)
    if axes[0].lines and axes[1].lines:
        axes[1].set_xlim(axes[0].get_xlim())
    style.lettered(axes)
    style.runs_legend(picture, shown, palette, style.guide("changed back", color="0.2", linestyle=":"))
    return picture, table


def _means(axes, table: pd.DataFrame, palette, **options) -> None:
    """The mean over seeds, with a gap where it is zero."""
    for run, rows in table.groupby("run", sort=False):
        mean = rows.groupby("tau")["value"].mean()
        axes.plot(mean.index, mean.where(mean > 0), color=palette[run], **options)
