"""Where the network looks, and how far that still moves: maps of the input gradient along the flow, and its angles.

Above, the first run (its lowest seed), a row a training image: max |∂p/∂x| over the channels at each pixel, scaled by
its largest value, at the first snapshot and at others spaced in ln τ, over a factor of `LATE`, up to the last. Under
each is the angle of its gradient with the last snapshot's, zero at the end by construction. Below, every run: the angle
that the gradient moves between successive snapshots, the median over examples (thick) and the range. Snapshots where
runs meet lie close to others, and the angle to and from them is small. Where a ReLU or a maximum switches, an input
gradient jumps, however little the weights move. Logarithmic axes: τ = 0 and an angle of exactly zero are not on them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from dirconv.figures import first_seeds, positive, reached, stack, style, thin

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from dirconv.figures import Source

TABLES = ("path", "saliency")
COLUMNS = ["run", "network", "seed", "quantity", "example", "snapshot", "tau", "value"]
SNAPSHOTS = 6
LATE = 300.0
RANGE = {"median": "median", "least": "min", "most": "max"}  # over the examples
ALL = -1  # in the column `example`


def _snapshots(tau: pd.Series) -> list[int]:
    """Of those pictured, by τ: the first, the last, and four between them that are log-spaced."""
    later = np.log(tau[(tau > 0) & (tau >= tau.max() / LATE)])
    if later.empty:
        return [tau.index[0]]
    wanted = np.linspace(later.iloc[0], later.iloc[-1], SNAPSHOTS - 1)
    return sorted({tau.index[0]} | {int((later - level).abs().idxmin()) for level in wanted})


def _pictures(source: Source) -> pd.DataFrame:
    """The rows to be shown as maps, with their place in the grid: `row` by example, `column` by snapshot."""
    rows = source.snapshots("saliency").dropna(subset=["picture"])
    chosen = _snapshots(rows.groupby("snapshot")["tau"].first()) if len(rows) else []
    rows = rows[rows["snapshot"].isin(chosen)]
    return rows.assign(row=rows["example"].rank(method="dense"), column=rows["snapshot"].rank(method="dense"))


def _moved(source: Source) -> pd.DataFrame:
    """A row a snapshot after the first and a member of RANGE."""
    import pandas as pd

    angles = source.snapshots("saliency").groupby("snapshot").agg({"tau": "first", "moved": list(RANGE.values())})
    angles.columns = ["tau", *RANGE]
    parts = [angles.assign(quantity=name, value=angles[name]).reset_index() for name in RANGE]
    found = positive(pd.concat(parts), "tau", "value").assign(example=ALL)
    return pd.concat([thin(part, "value") for _, part in found.groupby("quantity")]) if len(found) else found


def _square(flat: Any) -> np.ndarray:
    """(side²,) to (side, side)."""
    flat = np.asarray(flat, dtype=np.uint8)
    return flat.reshape(math.isqrt(len(flat)), -1)


def _grid(figure: Any, source: Source, rows: pd.DataFrame) -> None:
    """The maps: a row an image, a column a snapshot."""
    axes = figure.subplots(int(rows["row"].max()), int(rows["column"].max()), squeeze=False)
    for panel in axes.flat:
        panel.set(xticks=[], yticks=[], frame_on=False)
    for _, shown in rows.groupby("example"):
        line = axes[int(shown["row"].iloc[0]) - 1]
        for each in shown.itertuples(index=False):
            line[int(each.column) - 1].imshow(_square(each.picture), cmap="magma", vmin=0, vmax=255)
            line[int(each.column) - 1].set_xlabel(f"{each.to_last:.2f} rad", fontsize=6, labelpad=1.5)
    for column, tau in rows.groupby("column")["tau"].first().items():
        label = "0" if tau == 0 else f"{tau:.2g}"
        axes[0, int(column) - 1].set_title(f"$\\tau$ = {label}", loc="center")
    figure.suptitle(f"(a) {source.network}: input gradients $|\\partial p/\\partial x|$", x=0.01, ha="left", fontsize=8)


def draw(sources: list[Source]) -> tuple[Figure, pd.DataFrame]:
    """The figure, and its data: a row a map (its `to_last`; its pixels are the measure's) or a point, in rad."""
    from matplotlib.figure import Figure

    palette = style.colours(source.run for source in sources)
    shown = reached(sources, "saliency")
    parts = []
    first = next(iter(first_seeds(shown)), None)
    pictures = _pictures(first) if first else None
    if first and len(pictures):
        parts.append(pictures.assign(quantity="to_last", value=pictures["to_last"], **first.identity))
    parts += [_moved(source).assign(**source.identity) for source in shown]
    table = stack(parts, COLUMNS)

    height = 0.3 + 1.0 * pictures["row"].max() if first and len(pictures) else 0.0
    figure = Figure(figsize=(style.WIDTH, height + 2.7), layout="constrained")
    below = figure
    if height:
        above, below = figure.subfigures(2, 1, height_ratios=[height, 2.7])
        _grid(above, first, pictures)
    panel = below.subplots()
    curves = table[table["quantity"].isin(list(RANGE))]
    if curves.empty:
        style.empty(panel, "nothing to show" if shown else "nothing to show:\nno run has reached ℒ < ℓ(0)")
    for (run, _), of_seed in curves.groupby(["run", "seed"], sort=False):
        by_name = {name: of_seed[of_seed["quantity"] == name] for name in RANGE}
        for name, curve in by_name.items():
            look = {"marker": "o", "markersize": 2.6, "markeredgewidth": 0} if name == "median" else {"linewidth": 0.4}
            panel.plot(curve["tau"], curve["value"], color=palette[run], **look)
        both = by_name["least"].merge(by_name["most"], on="tau")
        panel.fill_between(both["tau"], both["value_x"], both["value_y"], color=palette[run], alpha=0.12, linewidth=0)
    style.log(panel, x=True, y=True)
    letter = "(b) " if height else ""
    panel.set(
        title=f"{letter}angle between an input gradient at successive snapshots: median and range over examples",
        xlabel=style.TAU,
        ylabel="angle moved (rad)",
    )
    style.runs_legend(below, shown, palette)
    return figure, table
