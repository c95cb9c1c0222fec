"""What the figures of the desingularized path share: networks and small problems are drawn alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dirconv.claims.desingularize import exponent
from dirconv.figures import first_seeds, positive, reached, stack, style, thin

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from dirconv.figures import Source

COLUMNS = ["run", "network", "seed", "quantity", "margin", "value", "low", "high"]
SINCE = 0.5  # share of τ that the fit passes over; as the registry has it


def draw(sources: list[Source]) -> tuple[Figure, pd.DataFrame]:
    """The figure, and its data: quantity `left` (ζ_end − ζ against ã_end/ã − 1 as `margin`) or `kappa` (interval)."""
    import pandas as pd

    sources = [
        source
        for source in sources
        if source.degree is not None and source.record["specification"]["loss"] != "polynomial"
    ]
    shown = reached(sources, "path")
    palette = style.colours(source.run for source in sources)
    parts = []
    for source in shown:
        path = source.path
        tau, zeta, margin = (path[name].to_numpy() for name in ("tau", "zeta", "smoothed_margin"))
        if len(path) < 3:
            continue
        left = pd.DataFrame({"margin": margin[-1] / margin - 1, "value": zeta[-1] - zeta})
        # what is left to the run's end is what is left to the limit only well before it
        left = left[tau <= 0.8 * tau[-1]]
        parts.append(positive(thin(left, "value"), "margin", "value").assign(quantity="left", **source.identity))
        found = exponent(tau, zeta, margin, SINCE * tau[-1])
        if found is not None:
            row = pd.DataFrame({"value": [found.kappa], "low": [found.low], "high": [found.high]})
            parts.append(row.assign(quantity="kappa", **source.identity))
    table = stack(parts, COLUMNS)

    figure, (axes,) = style.panels(1, 2, 3.2)
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
    style.runs_legend(figure, shown, palette, style.guide("slope ½; κ = 0"))
    return figure, table
