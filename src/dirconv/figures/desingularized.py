r"""Networks: does a power of the smoothed margin's remaining rise control the path's remaining length?

(a) ζ_end − ζ against ã_end/ã − 1, what is left of ζ and of ã until the end of the run, for first seeds. Both vanish at
the end by construction, so only the first 80 % of τ are drawn. (b) κ of ζ_∞ − ζ ∝ (a − ã)^κ, with a unknown, fitted to
the second half of τ, with its interval. κ = ½ is expected of a limit with a regular second derivative, κ = 1 of a
linear predictor, κ ≤ 0 of an infinite path. An interval that fills the panel means that the run does not tell.
"""

from __future__ import annotations

import numpy as np

from dirconv.claims.desingularize import exponent
from dirconv.figures import (
    Drawing,
    Figure,
    Source,
    exponential_tails,
    first_seeds,
    positive,
    separating,
    stack,
    style,
    thin,
)

NUMERICS = 1
GOES_THROUGH = ("desingularize",)
FIGURE = Figure(tables=("path",))
COLUMNS = ["run", "network", "seed", "quantity", "margin", "value", "low", "high"]
FIT_FROM = 0.5  # share of τ before the fit; the registry's value


def draw(sources: list[Source]) -> Drawing:
    """The picture, and its data: quantity `left` (ζ_end − ζ against ã_end/ã − 1 as `margin`) or `kappa` (interval)."""
    sources = [source for source in exponential_tails(sources) if source.degree is not None]
    shown = separating(sources, "path")
    palette = style.colours(source.run for source in sources)
    parts = []
    for source in shown:
        path = source.path
        tau, zeta, margin = (path[name].to_numpy() for name in ("tau", "zeta", "smoothed_margin"))
        if len(path) < 3:
            continue
        left = path.assign(margin=margin[-1] / margin - 1, value=zeta[-1] - zeta)
        # only well before the run's end is the rest until there about the rest until the limit
        left = positive(thin(left[tau <= 0.8 * tau[-1]], "value"), "margin", "value")
        parts.append(source.part(left, "left"))
        fit = exponent(tau, zeta, margin, FIT_FROM * tau[-1])
        if fit is not None:
            parts.append(source.number("kappa", fit.kappa, low=fit.low, high=fit.high))
    table = stack(parts, COLUMNS)

    picture, (axes,) = style.panels(1, 2, 3.2)
    left = table[table["quantity"] == "left"]
    lines = stack([source.select(left) for source in first_seeds(shown)], COLUMNS)
    style.curves(axes[0], lines, "margin", "value", palette, linewidth=1.2)
    style.log(axes[0], x=True, y=True)
    axes[0].set(title="what is left, first seeds", ylabel=r"$\zeta_{\mathrm{end}} - \zeta$ (rad)")
    axes[0].set_xlabel(r"$\tilde a_{\mathrm{end}}/\tilde a - 1$")
    if len(lines):
        x = np.array([lines["margin"].quantile(0.3), lines["margin"].quantile(0.9)]).astype(float)
        axes[0].plot(x, 0.3 * float(lines["value"].max()) * (x / x[1]) ** 0.5, **style.GUIDE)
    kappa = table[table["quantity"] == "kappa"]
    for k, (run, of_run) in enumerate(kappa.groupby("run", sort=False)):
        at = k + np.linspace(-0.3, 0.3, len(of_run)) if len(of_run) > 1 else np.array([k])
        low, high = of_run["low"].clip(-1.0, 3.0), of_run["high"].clip(-1.0, 3.0)
        axes[1].hlines(at, low, high, color=palette[run], linewidth=0.9)
        axes[1].plot(of_run["value"], at, ".", color=palette[run], markersize=3.5)
    axes[1].axvline(0.0, **style.GUIDE)
    axes[1].set(title="exponent κ with interval, every seed", xlabel="κ", yticks=[], xlim=(-1.05, 2.05))
    axes[1].invert_yaxis()
    return style.finished(picture, axes, shown, palette, style.guide("slope ½; κ = 0")), table
