"""Can the computed path be trusted? The direction at half the tolerance, and two alignments.

(a) The angle between the directions of two runs that differ only in tolerance, at the τ where both end a step. Angles
are computed from sketches, which keep them within a few per cent. (b) cos of the angle between W and the flow's
velocity (lines), and between W and −∇ℒ at the point itself (dots). On a ReLU network the flow slides along kinks, where
the gradient at a point is one of many; there the dots may scatter without end.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dirconv.claims import Evidence, halving
from dirconv.figures import Figure, positive, separating, stack, style, thin

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Picture

    from dirconv.figures import Source

NUMERICS = 1
GOES_THROUGH = ("halving",)
FIGURE = Figure(tables=("path", "sketch"))
COLUMNS = ["run", "network", "seed", "quantity", "tau", "value"]


def _experiment(source: Source) -> str:
    """The specification without the run's name, goal and tolerance: equal for runs that can be compared."""
    specification = {**source.specification, "run": "", "stop": {}}
    specification["flow"] = {**specification["flow"], "tolerance": 0}
    return json.dumps(specification, sort_keys=True)


def pairs(sources: list[Source]) -> list[tuple[Source, Source]]:
    """Pairs of runs that differ only in tolerance and have sketches at common τ, the larger tolerance first."""
    landing = [
        (source, source.specification["flow"]["tolerance"], _experiment(source))
        for source in sources
        if "land" in source.specification["flow"] and source.tables["sketch"]["landed"].any()
    ]
    return [
        (coarse, fine)
        for coarse, larger, experiment in landing
        for fine, smaller, other in landing
        if larger > smaller and experiment == other
    ]


def draw(sources: list[Source]) -> tuple[Picture, pd.DataFrame]:
    """The picture, and its data: a row a point, quantity `angle` (rad), `cos` or `cos_point`."""
    import pandas as pd

    palette = style.colours(source.run for source in sources)
    shown = separating(sources, "path")
    parts = []
    for coarse, fine in pairs(shown):
        angles = halving.angles(*(Evidence(source.tables, source.record) for source in (coarse, fine)))
        rows = positive(pd.DataFrame({"tau": angles.index, "value": angles.to_numpy()}), "tau")
        parts.append(coarse.part(rows, "angle", rows["value"]))
    for source in shown:
        for quantity in ("cos", "cos_point"):
            parts.append(source.part(thin(positive(source.path, "tau"), quantity), quantity))
    table = stack(parts, COLUMNS)

    picture, (axes,) = style.panels(1, 2, 2.9)
    chosen = table[table["quantity"] == "angle"]
    if len(chosen):
        style.curves(axes[0], chosen, "tau", "value", palette, **style.DOTS)
        axes[0].set_ylim(bottom=0)
    else:
        style.empty(axes[0], "no two runs differ\nin tolerance alone")
    axes[0].set(title="directions at a tolerance and at half of it", xlabel=style.TAU, ylabel="angle (rad)")
    style.curves(axes[1], table[table["quantity"] == "cos"], "tau", "value", palette)
    for (run, _), points in table[table["quantity"] == "cos_point"].groupby(["run", "seed"], sort=False):
        dots = {**style.DOTS, "linestyle": "", "markersize": 1.8, "alpha": 0.35}
        axes[1].plot(points["tau"], points["value"], color=palette[run], **dots)
    style.log(axes[1], x=True)
    axes[1].axhline(1, **style.GUIDE)
    axes[1].set(title="alignment: velocity (lines), gradient (dots)", xlabel=style.TAU, ylabel="cos with $W$")
    style.lettered(axes)
    style.runs_legend(picture, shown, palette)
    return picture, table
