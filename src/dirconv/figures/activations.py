"""The same network with activations that are smooth, and that are not.

(a) 1 − cos between W and −∇ℒ at the points of the computed path. (b) The same for the velocity by secants, over which
steps that jump to and fro across kinks average out in part. Median over seeds, band from least to greatest. (c) The
share of (image, hidden unit) pairs whose sign changed between kept points, and (dotted) that went back to what it was
two points before: means over seeds, since in many intervals no sign changes at all; where none did in any seed, nothing
is drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dirconv.figures import _bands, reached, stack, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from dirconv.figures import Source

CLAIMED = True
TABLES = ("path", "limit")
COLUMNS = ["run", "network", "seed", "quantity", "tau", "value"]


def draw(sources: list[Source]) -> tuple[Figure, pd.DataFrame]:
    """The figure, and its data: a row a point, quantity `at_points`, `by_chords`, `flips` or `returns`."""
    palette = style.colours(source.run for source in sources)
    shown = reached(sources, "path")
    ends = {run: min(s.path["tau"].iloc[-1] for s in shown if s.run == run) for run in {s.run for s in shown}}
    parts = []
    for source in shown:
        at = _bands.log_spaced(0.05, ends[source.run])
        rows = _bands.grid(source.path.assign(value=1 - source.path["cos"]), "tau", "value", at)
        parts.append(rows.assign(quantity="at_points", **source.identity))
        limit = source.tables["limit"].dropna(subset="chords")
        tau, chords = limit["tau"].to_numpy(), limit["chords"].to_numpy()
        speed = np.diff(chords) / np.diff(tau)
        middle = np.sqrt(tau[1:] * tau[:-1])
        chord = limit.iloc[1:].assign(tau=middle.round(6), value=1 - 1 / np.sqrt(1 + speed**2), quantity="by_chords")
        parts.append(chord.assign(**source.identity))
        for quantity in ("flips", "returns"):
            rows = source.tables["limit"].assign(quantity=quantity, value=source.tables["limit"][quantity])
            parts.append(rows.assign(tau=rows["tau"].round(6), **source.identity).dropna(subset="value"))
    table = stack(parts, COLUMNS)

    figure, (axes,) = style.panels(1, 3, 2.8)
    for one, (quantity, title, label) in zip(
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
            _bands.band(one, rows[rows["value"] > 0], "tau", "value", palette)
        elif rows["value"].gt(0).any():
            _means(one, rows, palette, linestyle="-", linewidth=1.2)
            _means(one, table[table["quantity"] == "returns"], palette, linestyle=":", linewidth=1.0)
        else:
            style.empty(one, "no sign changed")
        one.set(title=title, xlabel=style.TAU, ylabel=label)
    for one in axes:
        style.log(one, x=one is not axes[2], y=True)
    if axes[0].lines and axes[1].lines:
        axes[1].set_xlim(axes[0].get_xlim())
    style.lettered(axes)
    style.runs_legend(figure, shown, palette, style.guide("changed back", color="0.2", linestyle=":"))
    return figure, table


def _means(axes, table: pd.DataFrame, palette, **options) -> None:
    """The mean over seeds, with a gap where it is zero."""
    for run, rows in table.groupby("run", sort=False):
        mean = rows.groupby("tau")["value"].mean()
        axes.plot(mean.index, mean.where(mean > 0), color=palette[run], **options)
