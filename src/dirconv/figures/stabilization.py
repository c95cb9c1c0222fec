r"""How long until the direction stays within ε of its limit?

(a) Distance to the limit against τ: the angle to the end, plus what an exponential fall leaves there where it is one
(solid); where it is not, the angle to the end alone (dotted), which is too small at late τ. (b) ln of the time that
gradient flow takes, which is the number of constant steps times their size, against 1/ε; the guides are e^(C/ε) and
e^(C/ε²). (c) The steps that the flow engine takes for the same. Median over seeds, band from least to greatest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dirconv.claims.rules.stabilization import remainder
from dirconv.figures import _bands, reached, stack, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from dirconv.figures import Source

CLAIMED = True
TABLES = ("path", "limit")
COLUMNS = ["run", "network", "seed", "quantity", "against", "x", "value"]
EPSILONS = np.geomspace(0.3, 0.01, 18)
NEAR = 0.01  # what may remain at the end for the limit to count as known


def draw(sources: list[Source]) -> tuple[Figure, pd.DataFrame]:
    """The figure, and its data: `distance` or `to_end` against tau, `ln_time` and `steps` against 1/ε."""
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
        quantity = "distance" if known else "to_end"
        rows = pd.DataFrame({"x": tau[used].round(6), "value": distance[used]})
        parts.append(rows.assign(quantity=quantity, against="tau", **source.identity))
        for name in ("ln_time", "step"):
            value = limit[name].to_numpy(dtype=float)[used]
            order = np.argsort(distance[used])
            at = np.interp(EPSILONS, distance[used][order], value[order], left=np.nan, right=np.nan)
            rows = pd.DataFrame({"x": (1 / EPSILONS).round(6), "value": at, "against": "1/epsilon"}).dropna()
            rows = rows[np.isfinite(rows["value"]) & (rows["value"] > 0)]
            parts.append(rows.assign(quantity="steps" if name == "step" else name, **source.identity))
    table = stack(parts, COLUMNS)

    figure, (axes,) = style.panels(1, 3, 2.8)
    for quantity, line in (("distance", "-"), ("to_end", (0, (1, 1)))):
        rows = table[(table["quantity"] == quantity) & (table["value"] > 0)]
        if len(rows):
            _bands.band(axes[0], rows, "x", "value", palette, linestyle=line)
    style.log(axes[0], y=True)
    axes[0].set(title="distance to the limit", xlabel=style.TAU, ylabel="angle (rad)")
    _bands.band(axes[1], table[table["quantity"] == "ln_time"], "x", "value", palette)
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
    _bands.band(axes[2], table[table["quantity"] == "steps"], "x", "value", palette)
    style.log(axes[2], x=True)
    axes[2].set(title="steps of the flow engine", xlabel=r"$1/\epsilon$", ylabel="steps")
    style.lettered(axes)
    style.runs_legend(figure, shown, palette, *more)
    return figure, table
