"""Can the computed path be trusted? The same run at half the tolerance, and the two alignments.

(a) Angle between the directions of two runs that differ in tolerance alone, at the τ where both end a step. It is taken
from sketches, which keep angles within a few per cent.
(b) cos of W with the flow's velocity (lines) and with −∇ℒ at the point itself (dots). On a ReLU network the flow slides
along kinks, where the gradient at a point is one of many: the dots may scatter for ever.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dirconv.claims import Evidence, halving
from dirconv.figures import positive, reached, stack, style, thin

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from dirconv.figures import Source

TABLES = ("path", "sketch")
COLUMNS = ["run", "network", "seed", "quantity", "tau", "value"]


def _alike(source: Source) -> str:
    """What two runs must share to be compared: everything but their name, their goal and their tolerance."""
    specification = {**source.record["specification"], "run": "", "stop": {}}
    specification["flow"] = {**specification["flow"], "tolerance": 0}
    return json.dumps(specification, sort_keys=True)


def _landed(source: Source) -> bool:
    """Whether it went far enough to have directions at a common τ."""
    return bool(source.tables["sketch"]["landed"].any())


def pairs(sources: list[Source]) -> list[tuple[Source, Source]]:
    """Runs that differ in tolerance alone, the looser one first."""
    followed = [source for source in sources if "land" in source.record["specification"]["flow"]]

    def tolerance(source: Source) -> float:
        return source.record["specification"]["flow"]["tolerance"]

    return [
        (one, other)
        for one in followed
        for other in followed
        if tolerance(one) > tolerance(other) and _alike(one) == _alike(other) and _landed(one) and _landed(other)
    ]


def draw(sources: list[Source]) -> tuple[Figure, pd.DataFrame]:
    """The figure, and its data: a row a point, quantity `angle` (rad), `cos` or `cos_point`."""
    import pandas as pd

    palette = style.colours(source.run for source in sources)
    shown = reached(sources, "path")
    parts = []
    for one, other in pairs(shown):
        angles = halving.angles(*(Evidence(source.tables, source.record) for source in (one, other)))
        rows = pd.DataFrame({"tau": angles.index, "value": angles.to_numpy()})
        parts.append(positive(rows, "tau").assign(quantity="angle", **one.identity))
    for source in shown:
        for quantity in ("cos", "cos_point"):
            rows = thin(positive(source.path, "tau"), quantity)
            parts.append(rows.assign(quantity=quantity, value=rows[quantity], **source.identity))
    table = stack(parts, COLUMNS)

    figure, (axes,) = style.panels(1, 2, 2.9)
    chosen = table[table["quantity"] == "angle"]
    if len(chosen):
        style.curves(axes[0], chosen, "tau", "value", palette, marker="o", markersize=2.6, markeredgewidth=0)
        axes[0].set_ylim(bottom=0)
    else:
        style.empty(axes[0], "no two runs differ\nin tolerance alone")
    axes[0].set(title="directions at a tolerance and at half of it", xlabel=style.TAU, ylabel="angle (rad)")
    style.curves(axes[1], table[table["quantity"] == "cos"], "tau", "value", palette)
    for (run, _), points in table[table["quantity"] == "cos_point"].groupby(["run", "seed"], sort=False):
        dots = {"linestyle": "", "marker": "o", "markersize": 1.8, "markeredgewidth": 0, "alpha": 0.35}
        axes[1].plot(points["tau"], points["value"], color=palette[run], **dots)
    style.log(axes[1], x=True)
    axes[1].axhline(1, **style.GUIDE)
    axes[1].set(title="alignment: velocity (lines), gradient (dots)", xlabel=style.TAU, ylabel="cos with $W$")
    style.lettered(axes)
    style.runs_legend(figure, shown, palette)
    return figure, table
