r"""How long until the direction stays within ε of its limit?

(a) Distance to the limit against τ: the angle to the end, plus what an exponential fall leaves there where it is one
(solid); where it is not, the angle to the end alone (dotted) until one unit of τ before it, which is too small at late
τ. (b) ln of the time that gradient flow takes, which is the number of constant steps times their size, against 1/ε; the
guides are e^(C/ε) and e^(C/ε²). (c) The steps that the flow engine takes for the same. Dotted times and steps are too
small as well, the more the smaller ε. Median over seeds, of a run's solid and dotted ones apart; band from least to
greatest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dirconv.claims.fits import remainder
from dirconv.figures import _bands, reached, stack, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from dirconv.figures import Source

CLAIMED = True
TABLES = ("path", "limit")
COLUMNS = ["run", "network", "seed", "quantity", "against", "known", "x", "value"]
EPSILONS = np.geomspace(0.3, 0.01, 18)
LINES = {True: "-", False: (0, (1, 1))}
NEAR = 0.01  # what may remain at the end for the limit to count as known


def draw(sources: list[Source]) -> tuple[Figure, pd.DataFrame]:
    """The figure, and its data: `distance` against tau, `ln_time` and `steps` against 1/ε; is the limit `known`?"""
    import pandas as pd

    palette = style.colours(source.run for source in sources)
    shown = reached(sources, "path")
    parts = []
    for source in shown:
        limit = source.tables["limit"]
        tau, to_end = limit["tau"].to_numpy(), limit["to_end"].to_numpy()
        rest = remainder(tau, to_end)
        known = rest <= NEAR
        used = slice(None) if known else tau <= tau[-1] - 1
        distance = to_end + (rest if known else 0.0)
        rows = pd.DataFrame({"x": tau[used].round(6), "value": distance[used]})
        whose = {"known": known, **source.identity}
        parts.append(rows.assign(quantity="distance", against="tau", **whose))
        logarithms = pd.DataFrame({"x": np.log(distance[used])})
        for name, quantity in (("ln_time", "ln_time"), ("step", "steps")):
            value = limit[name].to_numpy(dtype=float)[used]
            points = logarithms.assign(y=np.log(np.where(value > 0, value, np.nan)))
            points = points[np.isfinite(points["x"])]
            at = np.exp(_bands.grid(points, "x", "y", np.log(EPSILONS))["y"])
            rows = pd.DataFrame({"x": (1 / EPSILONS).round(6), "value": at, "against": "1/epsilon"}).dropna()
            parts.append(rows.assign(quantity=quantity, **whose))
    table = stack(parts, COLUMNS)

    figure, (axes,) = style.panels(1, 3, 2.8)
    for one, quantity in zip(axes, ("distance", "ln_time", "steps"), strict=True):
        rows = table[(table["quantity"] == quantity) & (table["value"] > 0)]
        for known, group in rows.groupby("known"):
            _bands.band(one, group, "x", "value", palette, linestyle=LINES[bool(known)])
        if rows.empty:
            style.empty(one)
    style.log(axes[0], y=True)
    axes[0].set(title="distance to the limit", xlabel=style.TAU, ylabel="angle (rad)")
    more = [style.guide("limit not known", color="0.2", linestyle=":")]
    if axes[1].lines:
        x = np.array([4.0, 60.0])
        low = table.loc[table["quantity"] == "ln_time", "value"].min()
        for power, line in ((1, (0, (4, 2))), (2, (0, (6, 2, 1, 2)))):
            axes[1].plot(x, 0.3 * low * (x / x[0]) ** power, **{**style.GUIDE, "linestyle": line})
            more.append(
                style.guide(rf"$e^{{C/\epsilon^{power}}}$" if power > 1 else r"$e^{C/\epsilon}$", linestyle=line)
            )
    style.log(axes[1], x=True, y=True)
    axes[1].set(title="time of the flow", xlabel=r"$1/\epsilon$", ylabel=r"$\ln t$")
    style.log(axes[2], x=True)
    axes[2].set(title="steps of the flow engine", xlabel=r"$1/\epsilon$", ylabel="steps")
    style.lettered(axes)
    style.runs_legend(figure, shown, palette, *more)
    return figure, table
