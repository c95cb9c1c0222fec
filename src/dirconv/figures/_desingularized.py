"""The drawing shared by `desingularized` (networks) and `desingularized_problems` (small problems)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dirconv.claims.desingularize import exponent
from dirconv.figures import exponential_tails, first_seeds, positive, separating, stack, style, thin

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Picture

    from dirconv.figures import Source

COLUMNS = ["run", "network", "seed", "quantity", "margin", "value", "low", "high"]
FIT_FROM = 0.5  # share of τ before the fit; the registry's value


def draw(sources: list[Source]) -> tuple[Picture, pd.DataFrame]:
    """The picture, and its data: quantity `left` (ζ_end − ζ against ã_end/ã − 1 as `margin`) or `kappa` (interval)."""
    import pandas as pd

    sources = [source for source in exponential_tails(sources) if source.degree is not None]
    shown = separating(sources, "path")
    palette = style.colours(source.run for source in sources)
    parts = []
    for source in shown:
        path = source.path
        tau, zeta, margin = (path[name].to_numpy() for name in ("tau", "zeta", "smoothed_margin"))
        if len(path) < 3:
            continue
        left = pd.DataFrame({"margin": margin[-1] / margin - 1, "value": zeta[-1] - zeta})
        # only well before the run's end is the rest until there about the rest until the limit
        left = positive(thin(left[tau <= 0.8 * tau[-1]], "value"), "margin", "value")
        parts.append(source.part(left, "left", left["value"]))
        fit = exponent(tau, zeta, margin, FIT_FROM * tau[-1])
        if fit is not None:
            row = pd.DataFrame({"low": [fit.low], "high": [fit.high]})
            parts.append(source.part(row, "kappa", fit.kappa))
    table = stack(parts, COLUMNS)

    picture, (axes,) = style.panels(1, 2, 3.2)
    firsts = {(source.run, source.seed) for source in first_seeds(shown)}
    lines = table[table["quantity"] == "left"]
    lines = lines[[pair in firsts for pair in zip(lines["run"], lines["seed"], strict=True)]]
    style.curves(axes[0], lines, "margin", "value", palette, linewidth=1.2)
    style.log(axes[0], x=True, y=True)
    axes[0].set(
        title="what is left, first seeds",
        xlabel=r"$\tilde a_{\mathrm{end}}/\tilde a - 1$",
        ylabel=r"$\zeta_{\mathrm{end}} - \zeta$ (rad)",
    )
    if len(lines):
        x = np.array([lines["margin"].quantile(0.3), lines["margin"].quantile(0.9)]).astype(float)
        axes[0].plot(x, 0.3 * float(lines["value"].max()) * (x / x[1]) ** 0.5, **style.GUIDE)
    kappa = table[table["quantity"] == "kappa"].reset_index(drop=True)
    runs = list(dict.fromkeys(kappa["run"]))
    for k, run in enumerate(runs):
        of_run = kappa[kappa["run"] == run]
        at = k + np.linspace(-0.3, 0.3, len(of_run)) if len(of_run) > 1 else np.array([k])
        low, high = of_run["low"].clip(-1.0, 3.0), of_run["high"].clip(-1.0, 3.0)
        axes[1].hlines(at, low, high, color=palette[run], linewidth=0.9)
        axes[1].plot(of_run["value"], at, ".", color=palette[run], markersize=3.5)
    axes[1].axvline(0.0, **style.GUIDE)
    axes[1].set(title="exponent κ with interval, every seed", xlabel="κ", yticks=[], xlim=(-1.05, 2.05))
    axes[1].invert_yaxis()
    style.lettered(axes)
    style.runs_legend(picture, shown, palette, style.guide("slope ½; κ = 0"))
    return picture, table
