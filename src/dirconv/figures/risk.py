"""The risk falls and the smoothed margin rises; the first steps show where ℒ < ℓ(0) begins.

(a) ln(1/ℒ) against τ. For a homogeneous network it grows at least like e^(Lτ), drawn (dashed) from the start of its
lowest seed. (b) ã over its value at the first step with ℒ < ℓ(0), for homogeneous networks. ã may be close to zero at
that step, so the axis is logarithmic; a value that is not above zero would be left out. (c) ln ℒ − ln ℓ(0) over the
first steps of every run, also of a run that never gets below zero.
"""

from __future__ import annotations

import numpy as np

from dirconv.figures import Drawing, Figure, Source, Table, first_seeds, positive, separating, stack, style, thin

NUMERICS = 1
FIGURE = Figure(tables=("path",))
COLUMNS = ["run", "network", "seed", "quantity", "against", "x", "value"]
FEWEST_STEPS, MOST_STEPS = 20, 200  # of panel (c)


def _growth(source: Source) -> Table:
    path = thin(positive(source.path, "log_inverse_risk"), "log_inverse_risk")
    return source.part(path, "log_inverse_risk", against="tau", x=path["tau"])


def _margin(source: Source) -> Table:
    path = positive(source.path, "smoothed_margin", "log_inverse_risk")
    ratio = path["smoothed_margin"] / (path["smoothed_margin"].iloc[0] if len(path) else 1.0)
    columns = {"against": "log_inverse_risk", "x": path["log_inverse_risk"]}
    return thin(source.part(path, "smoothed_margin_ratio", ratio, **columns), "value")


def _start(source: Source, steps: int) -> Table:
    path = source.tables["path"]
    path = path[path["step"] <= steps]
    excess = path["ln_risk"] - source.ln_at_zero
    return thin(source.part(path, "ln_risk_over_start", excess, against="step", x=path["step"]), "value")


def _first_steps(sources: list[Source]) -> int:
    """Steps that show every run's beginning: twice those until ℒ < ℓ(0), or all of a run that stays above it."""
    longest = FEWEST_STEPS
    for source in sources:
        path = source.tables["path"]
        below = path.loc[path["below"], "step"]
        longest = max(longest, 2 * int(below.iloc[0]) if len(below) else int(path["step"].max()))
    return min(longest, MOST_STEPS)


def draw(sources: list[Source]) -> Drawing:
    """The picture, and its data: a row a point, `value` of `quantity` at `x` of `against`."""
    palette = style.colours(source.run for source in sources)
    shown = separating(sources, "path")
    homogeneous = [source for source in shown if source.degree is not None]
    steps = _first_steps(sources)
    growth = stack([_growth(source) for source in shown], COLUMNS)
    margin = stack([_margin(source) for source in homogeneous], COLUMNS)
    start = stack([_start(source, steps) for source in sources], COLUMNS)

    picture, (axes,) = style.panels(1, 3, 2.7)
    style.curves(axes[0], growth, "x", "value", palette)
    style.log(axes[0], y=True)
    axes[0].set(title="risk", xlabel=style.TAU, ylabel=style.LOG_INVERSE_RISK)
    axes[0].locator_params(axis="x", nbins=3)
    guides = []
    for source in first_seeds(homogeneous):
        curve = source.select(growth)
        if curve.empty:
            continue
        tau = np.linspace(0, growth.loc[growth["run"] == source.run, "x"].max(), 100)
        line = curve["value"].iloc[0] * np.exp(source.degree * (tau - curve["x"].iloc[0]))
        axes[0].plot(tau, line, **{**style.GUIDE, "color": palette[source.run]})
        text = rf"$\propto e^{{L\tau}}$, $L$ = {source.degree} ({source.network})"
        guides.append(style.guide(text, color=palette[source.run]))
    style.curves(axes[1], margin, "x", "value", palette, "no homogeneous run\nhas reached ℒ < ℓ(0)")
    style.log(axes[1], x=True, y=True)
    axes[1].set(title="smoothed margin", xlabel=style.LOG_INVERSE_RISK, ylabel=r"$\tilde a/\tilde a_0$")
    style.curves(axes[2], start, "x", "value", palette, **{**style.DOTS, "markersize": 2.2})
    axes[2].axhline(0, **style.GUIDE)
    axes[2].annotate(
        r"$\mathcal{L} = \ell(0)$", (1, 0), (3, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
        ha="left", va="center", fontsize=7, color="0.35",
    )  # fmt: skip
    axes[2].set(title="first steps", xlabel="step", ylabel=r"$\ln\mathcal{L} - \ln\ell(0)$")
    return style.finished(picture, axes, sources, palette, *guides), stack([growth, margin, start], COLUMNS)
