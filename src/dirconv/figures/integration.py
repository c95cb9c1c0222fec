"""Can the computed path be trusted? The direction at half the tolerance, and two alignments.

(a) The angle between the directions of two runs that differ only in tolerance, at the τ where both end a step. Angles
are computed from sketches, which keep them within a few per cent. (b) cos of the angle between W and the flow's
velocity (lines), and between W and −∇ℒ at the point itself (dots). On a ReLU network the flow slides along kinks, where
the gradient at a point is one of many; there the dots may scatter without end.
"""

from __future__ import annotations

import itertools
from typing import Any

from dirconv.claims import Evidence, halving
from dirconv.figures import Drawing, Figure, Source, frame, positive, separating, stack, style, thin

NUMERICS = 1
GOES_THROUGH = ("halving",)
FIGURE = Figure(tables=("path", "sketch"))
COLUMNS = ["run", "network", "seed", "quantity", "tau", "value"]


def _experiment(source: Source) -> dict[str, Any]:
    """The specification without the run's name, goal and tolerance: equal for runs that can be compared."""
    return {**source.specification, "run": "", "stop": {}, "flow": {**source.specification["flow"], "tolerance": 0}}


def pairs(sources: list[Source]) -> list[tuple[Source, Source]]:
    """Pairs of runs that differ only in tolerance and have sketches at common τ, the larger tolerance first."""
    flows = {source.member: source.specification["flow"] for source in sources}
    landing = [s for s in sources if "land" in flows[s.member] and s.tables["sketch"]["landed"].any()]
    return [
        (coarse, fine)
        for coarse, fine in itertools.permutations(landing, 2)
        if flows[coarse.member]["tolerance"] > flows[fine.member]["tolerance"]
        and _experiment(coarse) == _experiment(fine)
    ]


def draw(sources: list[Source]) -> Drawing:
    """The picture, and its data: a row a point, quantity `angle` (rad), `cos` or `cos_point`."""
    palette = style.colours(source.run for source in sources)
    shown = separating(sources, "path")
    parts = []
    for coarse, fine in pairs(shown):
        angles = halving.angles(*(Evidence(source.tables, source.record) for source in (coarse, fine)))
        parts.append(coarse.part(positive(frame(tau=angles.index, value=angles.to_numpy()), "tau"), "angle"))
    for source in shown:
        for quantity in ("cos", "cos_point"):
            parts.append(source.part(thin(positive(source.path, "tau"), quantity), quantity))
    table = stack(parts, COLUMNS)

    picture, (axes,) = style.panels(1, 2, 2.9)
    chosen = table[table["quantity"] == "angle"]
    style.curves(axes[0], chosen, "tau", "value", palette, "no two runs differ\nin tolerance alone", **style.DOTS)
    if len(chosen):
        axes[0].set_ylim(bottom=0)
    axes[0].set(title="directions at a tolerance and at half of it", xlabel=style.TAU, ylabel="angle (rad)")
    style.curves(axes[1], table[table["quantity"] == "cos"], "tau", "value", palette)
    for (run, _), points in table[table["quantity"] == "cos_point"].groupby(["run", "seed"], sort=False):
        dots = {**style.DOTS, "linestyle": "", "markersize": 1.8, "alpha": 0.35}
        axes[1].plot(points["tau"], points["value"], color=palette[run], **dots)
    style.log(axes[1], x=True)
    axes[1].axhline(1, **style.GUIDE)
    axes[1].set(title="alignment: velocity (lines), gradient (dots)", xlabel=style.TAU, ylabel="cos with $W$")
    return style.finished(picture, axes, shown, palette), table
