r"""Two-layer squared ReLU: the normalized margin against the certified best, and where the neurons end.

(a) What the margin lacks of its bound, 1 − margin/bound; with fixed signs the bound is the margin of the best signed
measure of total variation one on the sphere, with trained outputs it is 2γ*/(3√3), which only one neuron attains.
(b), (c) Where the mass of the neurons is at the end (b: signed, summed over degrees of direction; c: area), and the
best measure's atoms (crosses), for the first seed in two and in three dimensions; neurons with less than 10⁻³ of the
mass are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dirconv.figures import stack, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from dirconv.figures import Source

TABLES = ("path", "limit", "neurons", "atoms")
PROBLEMS = ("squared_relu",)
COLUMNS = ["run", "network", "seed", "quantity", "tau", "x", "y", "z", "value"]
VISIBLE = 1e-3


def draw(sources: list[Source]) -> tuple[Figure, pd.DataFrame]:
    """The figure, and its data: quantity `lack` (1 − margin/bound), `neuron` and `atom` (direction, signed mass)."""
    palette = style.colours(source.run for source in sources)
    parts = []
    for source in sources:
        limit = source.tables["limit"]
        parts.append(limit.assign(quantity="lack", value=1 - limit["ratio"], **source.identity))
    flat, round_ = (_first(sources, axis) for axis in (False, True))
    for source in filter(None, (flat, round_)):
        neurons = source.tables["neurons"]
        last = neurons[neurons["snapshot"] == neurons["snapshot"].max()]
        for name, rows in (("neuron", last), ("atom", source.tables["atoms"])):
            rows = rows[rows["mass"].abs() > VISIBLE]
            parts.append(rows.assign(quantity=name, value=rows["mass"], **source.identity))
    table = stack(parts, COLUMNS)

    figure, (axes,) = style.panels(1, 3, 2.9)
    lack = table[(table["quantity"] == "lack") & (table["value"] > 1e-12)]
    style.curves(axes[0], lack, "tau", "value", palette, alpha=0.6, linewidth=0.8)
    style.log(axes[0], y=True)
    axes[0].axhline(0.01, **style.GUIDE)
    axes[0].set(title="distance to the bound", xlabel=style.TAU, ylabel="1 − margin/bound")
    _circle(axes[1], table, flat)
    _sphere(axes[2], table, round_)
    style.lettered(axes)
    style.runs_legend(figure, sources, palette, style.guide("1 %"))
    return figure, table


def _first(sources: list[Source], three: bool) -> Source | None:
    """The first seed of the first run in two or three dimensions."""
    return next((source for source in sources if ("z" in source.tables["neurons"]) == three), None)


def _of(table: pd.DataFrame, source: Source, quantity: str) -> pd.DataFrame:
    return table[(table["quantity"] == quantity) & (table["run"] == source.run) & (table["seed"] == source.seed)]


def _azimuth(rows: pd.DataFrame) -> pd.Series:
    """Of each direction, in degrees."""
    return np.degrees(np.arctan2(rows["y"].astype(float), rows["x"].astype(float)))


def _circle(axes, table: pd.DataFrame, source: Source | None) -> None:
    if source is None:
        style.empty(axes, "no run in two dimensions")
        return
    neurons, atoms = (_of(table, source, quantity) for quantity in ("neuron", "atom"))
    together = neurons.assign(degree=_azimuth(neurons).round()).groupby("degree")["value"].sum()
    axes.vlines(together.index, 0, together, color="0.35", linewidth=3, label="neurons at the end, summed")
    axes.plot(_azimuth(atoms), atoms["value"].astype(float), "x", color="C3", label="best measure")
    axes.axhline(0, color="0.6", linewidth=0.6)
    axes.set(title=source.network + f", seed {source.seed}", xlabel="direction (degrees)", ylabel="signed mass")
    axes.set_xlim(-180, 180)
    axes.legend(loc="upper left")
    axes.set_ylim(top=1.6 * axes.get_ylim()[1])


def _sphere(axes, table: pd.DataFrame, source: Source | None) -> None:
    if source is None:
        style.empty(axes, "no run in three dimensions")
        return
    neurons, atoms = (_of(table, source, quantity) for quantity in ("neuron", "atom"))
    mass = neurons["value"].astype(float)
    colour = np.where(mass > 0, "C0", "C1")
    axes.scatter(_azimuth(neurons), neurons["z"].astype(float), s=2500 * mass.abs(), c=colour, alpha=0.35, linewidths=0)
    axes.plot(_azimuth(atoms), atoms["z"].astype(float), "kx", markersize=5)
    axes.set(title=source.network + f", seed {source.seed}", xlabel="azimuth (degrees)", ylabel="height on the sphere")
    axes.set(xlim=(-180, 180), ylim=(-1.05, 1.05))
