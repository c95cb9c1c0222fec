r"""What the paper adds to Lyu and Li: they bound ∫ tan² ∠ dτ, the paper ∫ tan ∠ dτ = ζ.

(a) ∫ tan ∠ dτ, the path's length. (b) ∫ tan² ∠ dτ, by chords between steps, over its bound ln(ã_end/ã_0)/L (dashed;
how close a seed comes depends on how far above zero its ã_0 happens to be). (c) tan ∠
by secants: falling more steeply than the upper guide (τ^(−1/2)) its square is integrable, than the lower (τ^(−1)) it is
itself. On the Mexican hat (second row) Lyu and Li's integral has levelled off, and the path's never does. Median over
seeds, band from least to greatest.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from dirconv.figures import _bands, reached, stack, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from dirconv.figures import Source

CLAIMED = True
TABLES = ("path",)
COLUMNS = ["run", "network", "seed", "quantity", "tau", "value"]
LONG = 1000.0  # of τ


def draw(sources: list[Source]) -> tuple[Figure, pd.DataFrame]:
    """The figure, and its data: a row a point, quantity `tan`, `integral` or `integral_of_square` (over its bound)."""
    import pandas as pd

    palette = style.colours(source.run for source in sources)
    shown = reached(sources, "path")
    ends = {run: min(s.path["tau"].iloc[-1] for s in shown if s.run == run) for run in {s.run for s in shown}}
    parts = []
    for source in shown:
        at = _bands.log_spaced(0.02, ends[source.run])
        path = source.path
        step, chord = path["tau"].diff(), path["zeta"].diff()
        square = (chord**2 / step.where(step > 0)).fillna(0.0).cumsum()
        bound = np.log(path["smoothed_margin"].iloc[-1] / path["smoothed_margin"].iloc[0]) / source.degree
        path = path.assign(integral=path["zeta"], integral_of_square=square / bound)
        for quantity in ("integral", "integral_of_square"):
            rows = _bands.grid(path, "tau", quantity, at).rename(columns={quantity: "value"})
            parts.append(rows.assign(quantity=quantity, **source.identity))
        speed = _bands.speeds(source)
        rows = _bands.grid(np.log(speed), "tau", "speed", np.log(at))  # none before the first secant or past the last
        rows = pd.DataFrame({"tau": at, "value": np.exp(rows["speed"]), "quantity": "tan"})
        parts.append(rows.assign(**source.identity))
    table = stack(parts, COLUMNS)

    # a hat that circles for ever is followed over a τ beyond any network's: it has a row of its own
    long = [run for run, end in ends.items() if end > LONG]
    groups = [runs for runs in ([run for run in ends if run not in long], long) if runs] or [[]]
    figure, axes = style.panels(len(groups), 3, 0.6 + 2.2 * len(groups))
    more: dict[str, Any] = {}
    for row, runs in zip(axes, groups, strict=True):
        more |= _row(row, table[table["run"].isin(runs)], palette)
    style.lettered(axes.flat)
    style.runs_legend(figure, shown, palette, *more.values())
    return figure, table


def _row(axes, table: pd.DataFrame, palette: dict[str, Any]) -> dict[str, Any]:
    """Draw three panels; the guides that were drawn, for the legend."""
    titles = {
        "integral": (r"$\int\tan\angle\,d\tau = \zeta$ (the paper)", r"$\zeta$ (rad)"),
        "integral_of_square": (r"$\int\tan^2\angle\,d\tau$ (Lyu and Li)", "share of its bound"),
        "tan": (r"$\tan\angle$", r"$\tan\angle(W,\,v)$"),
    }
    for one, (quantity, (title, label)) in zip(axes, titles.items(), strict=True):
        _bands.band(one, table[table["quantity"] == quantity], "tau", "value", palette)
        style.log(one, x=True, y=quantity == "tan")
        one.set(title=title, xlabel=style.TAU, ylabel=label)
    tan = table[table["quantity"] == "tan"].dropna(subset="value")
    if tan.empty:
        return {}
    for one in axes:
        one.set_xlim(axes[0].get_xlim())
    axes[0].set_ylim(bottom=0)
    axes[1].axhline(1, **style.GUIDE)
    axes[1].set_ylim(0, 1.06)
    guides = {}
    tau = np.array([math.sqrt(tan["tau"].min() * tan["tau"].max()), tan["tau"].max()])
    top = 3 * tan.loc[tan["tau"] >= tau[0], "value"].max()
    for power, line, name in ((-0.5, ":", r"$\tau^{-1/2}$"), (-1.0, (0, (4, 2)), r"$\tau^{-1}$")):
        axes[2].plot(tau, top * (tau / tau[0]) ** power, **{**style.GUIDE, "linestyle": line})
        guides[name] = style.guide(name, linestyle=line)
    return guides
