"""The risk's fall, the smoothed margin's rise, and where ℒ < ℓ(0) begins.

(a) ln(1/ℒ) against τ; for a homogeneous network it grows at least like e^(Lτ), drawn from its lowest seed's start.
(b) ã relative to its value at the first step with ℒ < ℓ(0), for homogeneous networks. At that step ã may be next to
zero, so the axis is logarithmic; a value that is not above zero would not be drawn.
(c) ln ℒ − ln ℓ(0) over the first steps of every run, also of one that never comes below zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dirconv.figures import first_seeds, positive, reached, stack, style, thin

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from dirconv.figures import Source

TABLES = ("path",)
COLUMNS = ["run", "network", "seed", "quantity", "against", "x", "value"]
FIRST, FIRST_AT_MOST = 20, 200  # steps in panel (c)


def _growth(source: Source) -> pd.DataFrame:
    path = thin(positive(source.path, "log_inverse_risk"), "log_inverse_risk")
    return path.assign(
        quantity="log_inverse_risk", against="tau", x=path["tau"], value=path["log_inverse_risk"], **source.identity
    )


def _margin(source: Source) -> pd.DataFrame:
    path = positive(source.path, "smoothed_margin", "log_inverse_risk")
    ratio = path["smoothed_margin"] / (path["smoothed_margin"].iloc[0] if len(path) else 1.0)
    path = thin(path.assign(value=ratio), "value")
    return path.assign(
        quantity="smoothed_margin_ratio", against="log_inverse_risk", x=path["log_inverse_risk"], **source.identity
    )


def _start(source: Source, steps: int) -> pd.DataFrame:
    path = source.tables["path"]
    path = path[path["step"] <= steps]
    path = thin(path.assign(value=path["ln_risk"] - source.ln_at_zero), "value")
    return path.assign(quantity="ln_risk_over_start", against="step", x=path["step"], **source.identity)


def _first_steps(sources: list[Source]) -> int:
    """How many steps show every run's beginning: all of a run that stays above ℓ(0), twice the way below it."""
    longest = FIRST
    for source in sources:
        path = source.tables["path"]
        below = path.loc[path["below"], "step"]
        longest = max(longest, 2 * int(below.iloc[0]) if len(below) else int(path["step"].max()))
    return min(longest, FIRST_AT_MOST)


def draw(sources: list[Source]) -> tuple[Figure, pd.DataFrame]:
    """The figure, and its data: a row a point, `value` of `quantity` at `x` of `against`."""
    palette = style.colours(source.run for source in sources)
    shown = reached(sources, "path")
    homogeneous = [source for source in shown if source.degree is not None]
    steps = _first_steps(sources)
    growth = stack([_growth(source) for source in shown], COLUMNS)
    margin = stack([_margin(source) for source in homogeneous], COLUMNS)
    start = stack([_start(source, steps) for source in sources], COLUMNS)

    figure, (axes,) = style.panels(1, 3, 2.7)
    style.curves(axes[0], growth, "x", "value", palette)
    style.log(axes[0], y=True)
    axes[0].set(title="risk", xlabel=style.TAU, ylabel=style.LOG_INVERSE_RISK)
    axes[0].locator_params(axis="x", nbins=3)
    more = []
    for source in first_seeds(homogeneous):
        curve = growth[(growth["run"] == source.run) & (growth["seed"] == source.seed)]
        if curve.empty:
            continue
        tau = np.linspace(0, growth.loc[growth["run"] == source.run, "x"].max(), 100)
        line = curve["value"].iloc[0] * np.exp(source.degree * (tau - curve["x"].iloc[0]))
        axes[0].plot(tau, line, **{**style.GUIDE, "color": palette[source.run]})
        text = rf"$\propto e^{{L\tau}}$, $L$ = {source.degree} ({source.network})"
        more.append(style.guide(text, color=palette[source.run]))
    if homogeneous:
        style.curves(axes[1], margin, "x", "value", palette)
        style.log(axes[1], x=True, y=True)
    else:
        style.empty(axes[1], "no homogeneous run\nhas reached ℒ < ℓ(0)")
    axes[1].set(title="smoothed margin", xlabel=style.LOG_INVERSE_RISK, ylabel=r"$\tilde a/\tilde a_0$")
    style.curves(axes[2], start, "x", "value", palette, marker="o", markersize=2.2, markeredgewidth=0)
    axes[2].axhline(0, **style.GUIDE)
    axes[2].annotate(
        r"$\mathcal{L} = \ell(0)$", (1, 0), (3, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
        ha="left", va="center", fontsize=7, color="0.35",
    )  # fmt: skip
    axes[2].set(title="first steps", xlabel="step", ylabel=r"$\ln\mathcal{L} - \ln\ell(0)$")
    style.lettered(axes)
    style.runs_legend(figure, sources, palette, *more)
    return figure, stack([growth, margin, start], COLUMNS)
