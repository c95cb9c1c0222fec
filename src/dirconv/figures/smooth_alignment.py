r"""Where gradients are locally Lipschitz, −∇ℒ aligns with W (Theorem 4.1).

(a) 1 − cos ∠(W, −∇ℒ) at the points of the path. (b) tan ∠(W, −∇ℒ). κ is the exponent of e^(−κτ) fitted to tan ∠ over
the second half of each curve, the median over seeds and their range: tan ∠ falls like 1/‖W‖^κ. Nothing is drawn where
tan ∠ is below ten times the rounding error of ln q.
"""

from __future__ import annotations

import numpy as np

from dirconv.claims.fits import rate
from dirconv.figures import Drawing, Figure, Source, Table, exponential_tails, positive, separating, stack, style, thin

NUMERICS = 1
GOES_THROUGH = ("fits",)
FIGURE = Figure(tables=("path",), problems=("deep_linear", "squared_relu"))
COLUMNS = ["run", "network", "seed", "quantity", "tau", "value"]
PANELS = {
    "misalignment": ("", style.TAU, r"$1-\cos\angle(W, -\nabla\mathcal{L})$"),
    "tan": ("", style.TAU, r"$\tan\angle(W, -\nabla\mathcal{L})$"),
}


def draw(sources: list[Source]) -> Drawing:
    """The picture, and its data: quantity `misalignment` (1 − cos) or `tan`. A polynomial tail is left out."""
    sources = exponential_tails(sources)
    palette = style.colours(source.run for source in sources)
    shown = separating(sources, "path")
    parts: list[Table] = []
    kappas: dict[str, list[float]] = {}
    for source in shown:
        path = source.path
        path = positive(thin(path[path["tan"] > 10 * path["resolution"]], "tan"), "tan")
        # 1 − cos = 1 − 1/√(1 + tan²), without cancellation
        square = path["tan"] ** 2
        root = np.sqrt(1 + square)
        parts.append(source.part(path, "misalignment", square / (root * (1 + root))))
        parts.append(source.part(path, "tan"))
        fit = rate(path["tau"].to_numpy(), path["tan"].to_numpy())
        if fit is not None:
            kappas.setdefault(source.network, []).append(fit[0])
    table = stack(parts, COLUMNS)

    picture, (axes,) = style.panels(1, 2, 3.3)
    for panel, _, rows in style.by_quantity(axes, table, PANELS):
        style.curves(panel, rows, "tau", "value", palette, **style.MANY_CURVES)
        style.log(panel, y=True)
    if axes[1].lines:
        axes[1].set_ylim(bottom=axes[1].get_ylim()[0] * 1e-5)  # room for the exponents
    style.exponents(axes[1], kappas, fontsize=5.5)
    return style.finished(picture, axes, shown, palette), table
