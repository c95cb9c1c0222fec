r"""How long until the direction stays within ε of its limit?

(a) The distance to the limit against τ. Solid: the angle to the end falls exponentially, so the distance is that angle
plus the remainder of the fall. Dotted: it does not, so only the angle to the end is drawn, until one unit of τ before
the end; it is too small at late τ. (b) ln of the gradient flow's time until the distance is ε, against 1/ε. This time
is the number of constant steps times their size. The guides are e^(C/ε) and e^(C/ε²). (c) The steps that the flow
engine takes until then. Dotted times and steps are too small as well, the more so the smaller ε. Lines are medians over
seeds, separate for a run's solid and dotted seeds; bands reach from the least to the greatest.
"""

from __future__ import annotations

import numpy as np

from dirconv.claims.fits import remainder
from dirconv.figures import Drawing, Figure, Source, _curves, frame, separating, stack, style

NUMERICS = 1
GOES_THROUGH = ("fits", "tail_statistics")
FIGURE = Figure(tables=("path", "limit"), claimed=True)
COLUMNS = ["run", "network", "seed", "quantity", "against", "known", "x", "value"]
PANELS = {
    "distance": ("distance to the limit", style.TAU, "angle (rad)"),
    "ln_time": ("time of the flow", r"$1/\epsilon$", r"$\ln t$"),
    "steps": ("steps of the flow engine", r"$1/\epsilon$", "steps"),
}
EPSILONS = np.geomspace(0.3, 0.01, 18)
LINES = {True: "-", False: (0, (1, 1))}
KNOWN_WITHIN = 0.01  # rad: greatest remainder at the end with which the limit counts as known


def draw(sources: list[Source]) -> Drawing:
    """The picture, and its data: `distance` against tau, `ln_time` and `steps` against 1/ε; is the limit `known`?"""
    palette = style.colours(source.run for source in sources)
    shown = separating(sources, "path")
    parts = []
    for source in shown:
        limit = source.tables["limit"]
        tau, to_end = limit["tau"].to_numpy(), limit["to_end"].to_numpy()
        rest = remainder(tau, to_end)
        known = rest <= KNOWN_WITHIN
        used = slice(None) if known else tau <= tau[-1] - 1
        distance = to_end + (rest if known else 0.0)
        rows = frame(x=tau[used].round(6), value=distance[used])
        parts.append(source.part(rows, "distance", against="tau", known=known))
        for name, quantity in (("ln_time", "ln_time"), ("step", "steps")):
            value = limit[name].to_numpy(dtype=float)[used]
            points = frame(x=np.log(distance[used]), y=np.log(np.where(value > 0, value, np.nan)))
            points = points[np.isfinite(points["x"])]
            at = np.exp(_curves.interpolated(points, "x", "y", np.log(EPSILONS))["y"])
            rows = frame(x=(1 / EPSILONS).round(6), value=at).dropna()
            parts.append(source.part(rows, quantity, against="1/epsilon", known=known))
    table = stack(parts, COLUMNS)

    picture, (axes,) = style.panels(1, 3, 2.8)
    for panel, _, rows in style.by_quantity(axes, table[table["value"] > 0], PANELS):
        for known, group in rows.groupby("known"):
            style.band(panel, group, "x", "value", palette, linestyle=LINES[bool(known)])
        if rows.empty:
            style.empty(panel)
    style.log(axes[0], y=True)
    guides = [style.guide("limit not known", color="0.2", linestyle=":")]
    if axes[1].lines:
        x = np.array([4.0, 60.0])
        low = table.loc[table["quantity"] == "ln_time", "value"].min()
        lines = ((1, (0, (4, 2)), r"$e^{C/\epsilon}$"), (2, (0, (6, 2, 1, 2)), r"$e^{C/\epsilon^2}$"))
        for power, line, name in lines:
            axes[1].plot(x, 0.3 * low * (x / x[0]) ** power, **{**style.GUIDE, "linestyle": line})
            guides.append(style.guide(name, linestyle=line))
    style.log(axes[1], x=True, y=True)
    style.log(axes[2], x=True)
    return style.finished(picture, axes, shown, palette, *guides), table
