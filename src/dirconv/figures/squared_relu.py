r"""Two-layer squared ReLU: the normalized margin against its certified optimum, and where the neurons end.

(a) 1 − margin/bound. With fixed signs the bound is the margin of the best signed measure of total variation one on the
sphere. With trained outputs it is 2γ*/(3√3), which only one neuron attains. (b, c) The mass of the neurons at the end
and the atoms of the best measure (crosses), for the first seed in two dimensions (b) and in three (c). In (b) the mass
is signed and summed over each degree of direction; in (c) it is a disc's area, and the colour tells its sign. Neurons
with less than 10⁻³ of the mass are left out.
"""

from __future__ import annotations

import numpy as np

from dirconv.figures import Column, Drawing, Figure, Source, Table, stack, style

NUMERICS = 1
FIGURE = Figure(tables=("path", "limit", "neurons", "atoms"), problems=("squared_relu",))
COLUMNS = ["run", "network", "seed", "quantity", "tau", "x", "y", "z", "value"]
MIN_MASS = 1e-3  # of a neuron that is drawn


def draw(sources: list[Source]) -> Drawing:
    """The picture, and its data: quantity `lack` (1 − margin/bound), `neuron` and `atom` (direction, signed mass)."""
    palette = style.colours(source.run for source in sources)
    limits = [(source, source.tables["limit"]) for source in sources]
    parts = [source.part(limit, "lack", 1 - limit["ratio"]) for source, limit in limits]
    on_circle, on_sphere = _first(sources, dimensions=2), _first(sources, dimensions=3)
    for source in filter(None, (on_circle, on_sphere)):
        neurons = source.tables["neurons"]
        last = neurons[neurons["snapshot"] == neurons["snapshot"].max()]
        for name, rows in (("neuron", last), ("atom", source.tables["atoms"])):
            rows = rows[rows["mass"].abs() > MIN_MASS]
            parts.append(source.part(rows, name, rows["mass"]))
    table = stack(parts, COLUMNS)

    picture, (axes,) = style.panels(1, 3, 2.9)
    lack = table[(table["quantity"] == "lack") & (table["value"] > 1e-12)]
    style.curves(axes[0], lack, "tau", "value", palette, **style.MANY_CURVES)
    style.log(axes[0], y=True)
    axes[0].axhline(0.01, **style.GUIDE)
    axes[0].set(title="distance to the bound", xlabel=style.TAU, ylabel="1 − margin/bound")
    for panel, source, drawn, text in ((axes[1], on_circle, _circle, "two"), (axes[2], on_sphere, _sphere, "three")):
        if source is None:
            style.empty(panel, f"no run in {text} dimensions")
            continue
        of_seed = source.select(table)
        drawn(panel, *(of_seed[of_seed["quantity"] == name] for name in ("neuron", "atom")))
        panel.set(title=f"{source.network}, seed {source.seed}", xlim=(-180, 180))
    return style.finished(picture, axes, sources, palette, style.guide("1 %")), table


def _first(sources: list[Source], dimensions: int) -> Source | None:
    """The first seed of the first run in two or three dimensions, or None."""
    return next((source for source in sources if ("z" in source.tables["neurons"]) == (dimensions == 3)), None)


def _azimuth(rows: Table) -> Column:
    """The azimuth of each direction, in degrees."""
    return np.degrees(np.arctan2(rows["y"].astype(float), rows["x"].astype(float)))


def _circle(axes, neurons: Table, atoms: Table) -> None:
    mass = neurons.assign(degree=_azimuth(neurons).round()).groupby("degree")["value"].sum()
    axes.vlines(mass.index, 0, mass, color="0.35", linewidth=3, label="neurons at the end, summed")
    axes.plot(_azimuth(atoms), atoms["value"].astype(float), "x", color="C3", label="best measure")
    axes.axhline(0, color="0.6", linewidth=0.6)
    axes.set(xlabel="direction (degrees)", ylabel="signed mass")
    axes.legend(loc="upper left")
    axes.set_ylim(top=1.6 * axes.get_ylim()[1])


def _sphere(axes, neurons: Table, atoms: Table) -> None:
    mass = neurons["value"].astype(float)
    colour = np.where(mass > 0, "C0", "C1")
    axes.scatter(_azimuth(neurons), neurons["z"].astype(float), s=2500 * mass.abs(), c=colour, alpha=0.35, linewidths=0)
    axes.plot(_azimuth(atoms), atoms["z"].astype(float), "kx", markersize=5)
    axes.set(xlabel="azimuth (degrees)", ylabel="height on the sphere", ylim=(-1.05, 1.05))
