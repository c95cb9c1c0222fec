r"""The Mexican hat: the direction circles for ever, and yet the gradient aligns.

(a) The direction seen from above, (u, v)/ρ, and the rim of the hat (dashed): the direction runs along the valley
towards the rim and round it. (b) Solid: ζ = ∫ tan ∠ dτ in turns of 2π, which grows like ln τ. Dotted: ∫ tan² ∠ dτ as a
share of its value at the end, which soon stops growing. (c) tan ∠ falls to zero like 1/τ (dashed), which is not
integrable.
"""

from __future__ import annotations

import numpy as np

from dirconv.figures import Drawing, Figure, Source, positive, stack, style

NUMERICS = 1
FIGURE = Figure(tables=("path", "spiral"), problems=("mexican_hat",))
COLUMNS = ["run", "network", "seed", "quantity", "tau", "u", "v", "value"]


def draw(sources: list[Source]) -> Drawing:
    """The picture, and its data: `direction` (u, v), `turns` (ζ/2π), `squares` (∫ tan² dτ, of its end), `tan`."""
    palette = style.colours(source.run for source in sources)
    parts = []
    for source in sources:
        path, spiral = source.tables["path"], source.tables["spiral"]
        parts.append(spiral.assign(quantity="direction", **source.identity))
        parts.append(source.part(spiral, "turns", spiral["zeta"] / (2 * np.pi)))
        parts.append(source.part(spiral, "squares", spiral["squares"] / spiral["squares"].iloc[-1]))
        parts.append(source.part(path, "tan"))
    table = stack(parts, COLUMNS)

    picture, (axes,) = style.panels(1, 3, 2.8)
    rim = np.linspace(0, 2 * np.pi, 400)
    axes[0].plot(np.cos(rim), np.sin(rim), **style.GUIDE)
    first = table[(table["quantity"] == "direction") & (table["seed"] == sources[0].seed)]
    axes[0].plot(first["u"], first["v"], color=palette[sources[0].run])
    axes[0].plot(first["u"].iloc[:1], first["v"].iloc[:1], "o", color=palette[sources[0].run])
    axes[0].set(title=f"from above, seed {sources[0].seed}", xlabel=r"$u/\rho$", ylabel=r"$v/\rho$", aspect="equal")
    for quantity, line in (("turns", "-"), ("squares", ":")):
        rows = positive(table[table["quantity"] == quantity], "tau")
        style.curves(axes[1], rows, "tau", "value", palette, linestyle=line)
    style.log(axes[1], x=True)
    axes[1].set(title="path length, squares", xlabel=style.TAU, ylabel=r"$\zeta/2\pi$;  share of $\int\tan^2$")
    tangents = positive(table[table["quantity"] == "tan"], "tau", "value")
    style.curves(axes[2], tangents, "tau", "value", palette)
    style.log(axes[2], x=True, y=True)
    tau = np.array([1e4, tangents["tau"].max()])
    axes[2].plot(tau, 3 / tau, **style.GUIDE)
    axes[2].set(title="speed of the direction", xlabel=style.TAU, ylabel=r"$\tan\angle = d\zeta/d\tau$")
    squares = style.guide(r"$\int\tan^2\angle\,d\tau$", color=palette[sources[0].run], linestyle=":")
    return style.finished(picture, axes, sources, palette, squares, style.guide("rim; slope −1")), table
