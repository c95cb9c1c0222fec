r"""Deep linear networks: the product approaches the maximum-margin direction, and the layers become of rank one.

(a) The product's angle to the maximum-margin direction, that of the hard-margin support vector machine, solved exactly.
(b) The largest σ₂/σ₁ of a layer, zero for rank one. (c) The largest angle between neighbouring layers' singular
vectors. κ is the exponent of e^(−κτ) fitted to the second half of each curve in (a): the median over seeds and their
range. The angle falls like 1/‖W‖^L where the support vectors span the space. Where they do not, it falls like 1/‖W‖,
since the part of the first layer that is orthogonal to them no longer moves. A loss with a polynomial tail goes
elsewhere. Angles below 10⁻¹² are rounding.
"""

from __future__ import annotations

from dirconv.claims.fits import rate
from dirconv.figures import Drawing, Figure, Source, Table, stack, style

NUMERICS = 1
GOES_THROUGH = ("fits",)
FIGURE = Figure(tables=("path", "limit", "factors"), problems=("deep_linear",))
COLUMNS = ["run", "network", "seed", "quantity", "tau", "value"]
PANELS = {
    "angle": ("", style.TAU, "angle to the max-margin direction (rad)"),
    "ratio": ("", style.TAU, r"largest $\sigma_2/\sigma_1$ of a layer"),
    "neighbour": ("", style.TAU, "largest angle between neighbours (rad)"),
}


def draw(sources: list[Source]) -> Drawing:
    """The picture, and its data: a row a kept point, quantity `angle`, `ratio` or `neighbour`."""
    palette = style.colours(source.run for source in sources)
    parts: list[Table] = []
    kappas: dict[str, list[float]] = {}
    for source in sources:
        limit = source.tables["limit"]
        parts.append(source.part(limit, "angle"))
        worst = source.tables["factors"].groupby("snapshot", as_index=False)[["tau", "ratio", "neighbour"]].max()
        for name in ("ratio", "neighbour"):
            if worst[name].notna().any():  # a single layer has no neighbour
                parts.append(source.part(worst, name))
        fit = rate(limit["tau"].to_numpy(), limit["angle"].to_numpy())
        if fit is not None:
            kappas.setdefault(source.run.removeprefix("deep_linear_").replace("_", " "), []).append(fit[0])
    table = stack(parts, COLUMNS)

    picture, (axes,) = style.panels(1, 3, 2.9)
    for panel, _, rows in style.by_quantity(axes, table, PANELS):
        style.curves(panel, rows[rows["value"] > 1e-17], "tau", "value", palette, **style.MANY_CURVES)
        style.log(panel, y=True)
    axes[0].set_ylim(bottom=1e-23)  # room for the exponents
    axes[0].axhline(1e-4, **style.GUIDE)
    style.exponents(axes[0], kappas, fontsize=6)
    return style.finished(picture, axes, sources, palette, style.guide("10⁻⁴ rad")), table
