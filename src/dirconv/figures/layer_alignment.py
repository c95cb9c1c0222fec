"""Which layers align: cos ∠(W_k, −∇_k ℒ) of each parameter tensor, and what share of W and of ∇ℒ each holds.

A row a network (its lowest seed). With few tensors each has its own colour, pale to dark from the first to the
last. With many they are coloured by kind, told from the names: the last layer; γ and β of normalizations (tensors
`weight` and `bias` side by side, in a network that has bias-free layers as well); weights without a bias, which are
convolutions. Thin lines are tensors, thick ones a kind as a whole. A tensor of one number has cos = ±1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dirconv.figures import first_seeds, positive, reached, stack, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from dirconv.figures import Source

TABLES = ("layers",)
COLUMNS = ["run", "network", "seed", "quantity", "group", "layer", "snapshot", "log_inverse_risk", "value"]
FEW = 10
LAST = "last layer"
SHARES = {"weight_share": r"share of $\Vert W\Vert^2$", "gradient_share": r"share of $\Vert\nabla\mathcal{L}\Vert^2$"}


def groups(layers: list[str]) -> dict[str, str]:
    """The group of each parameter tensor, in the network's order."""
    if len(layers) <= FEW:
        return {layer: f"{i} ({layer})" for i, layer in enumerate(layers, 1)}
    owner = {layer: layer.rpartition(".")[0] for layer in layers}
    biased = {owner[layer] for layer in layers if layer.endswith("bias")} - {owner[layers[-1]]}
    bias_free = {owner[layer] for layer in layers} - biased - {owner[layers[-1]]}
    found = {}
    for layer in layers:
        kind = layer.rpartition(".")[2]
        if owner[layer] == owner[layers[-1]]:
            found[layer] = LAST
        elif owner[layer] in bias_free:
            found[layer] = "convolutions"
        elif bias_free:
            found[layer] = {"weight": "normalization γ", "bias": "normalization β"}.get(kind, kind)
        else:
            found[layer] = {"weight": "weights", "bias": "biases"}.get(kind, kind)
    return found


def _palette(order: list[str], few: bool) -> dict[str, object]:
    shades = style.sequence(len(order)) if few else style.kinds(len(order))
    return dict(zip(order, shades, strict=True))


def _together(rows: pd.DataFrame) -> pd.DataFrame:
    """Shares of each group at each snapshot, and `group_cos`, the cosine between its parts of W and of −∇ℒ."""
    inner = rows["cos"] * np.sqrt(rows["weight_share"] * rows["gradient_share"])
    keys = ["group", "snapshot", "log_inverse_risk"]
    whole = rows.assign(inner=inner).groupby(keys, sort=False)[["inner", *SHARES]].sum().reset_index()
    norms = np.sqrt(whole["weight_share"] * whole["gradient_share"])
    return whole.assign(group_cos=whole["inner"] / norms.where(norms > 0, np.inf))


def draw(sources: list[Source]) -> tuple[Figure, pd.DataFrame]:
    """The figure, and its data: a row a point; `layer` is empty where `value` is a group's."""
    shown = first_seeds(reached(sources, "layers"))
    parts, grouped = [], {}
    for source in shown:
        rows = positive(source.snapshots("layers"), "log_inverse_risk")
        grouped[source.run] = groups(list(dict.fromkeys(rows["layer"])))
        rows = rows.assign(group=rows["layer"].map(grouped[source.run]))
        parts.append(rows.assign(quantity="cos", value=rows["cos"], **source.identity))
        whole = _together(rows)
        for quantity in SHARES if len(set(rows["group"])) == len(set(rows["layer"])) else ("group_cos", *SHARES):
            parts.append(whole.assign(quantity=quantity, value=whole[quantity], **source.identity))
    table = stack(parts, COLUMNS)

    rows = max(len(shown), 1)
    figure, axes = style.panels(rows, 3, 0.4 + 2.0 * rows, sharex="row", sharey="col")
    if not shown:
        for panel in axes.flat:
            style.empty(panel)
    for row, source in zip(axes, shown, strict=False):
        of_run = table[table["run"] == source.run]
        kinds = grouped[source.run]
        few = len(kinds) <= FEW
        order = list(dict.fromkeys(kinds.values()))
        shades = _palette(order, few)
        cosines = of_run[of_run["quantity"] == "cos"]
        for layer, kind in kinds.items():
            curve = cosines[cosines["layer"] == layer]
            look = {"marker": "."} if few else {"linewidth": 0.5, "alpha": 0.4}
            row[0].plot(curve["log_inverse_risk"], curve["value"], color=shades[kind], **look)
        for kind, curve in of_run[of_run["quantity"] == "group_cos"].groupby("group", sort=False):
            row[0].plot(curve["log_inverse_risk"], curve["value"], color=shades[kind], linewidth=1.8, marker=".")
        for panel, (share, label) in zip(row[1:], SHARES.items(), strict=True):
            of_share = of_run[of_run["quantity"] == share]
            for kind in order:
                curve = of_share[of_share["group"] == kind]
                panel.plot(curve["log_inverse_risk"], curve["value"], color=shades[kind], label=kind, marker=".")
            panel.set(ylim=(-0.02, 1.02), ylabel=label)
        row[0].axhline(0, **{**style.GUIDE, "linestyle": "-", "linewidth": 0.6})
        row[0].set(title=source.network, ylabel=r"$\cos\angle(W_k,\,{-}\nabla_k\mathcal{L})$")
        style.log(row[-1], x=True)
        row[-1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    for panel in axes[-1]:
        panel.set_xlabel(style.LOG_INVERSE_RISK)
    style.lettered(axes.flat)
    return figure, table
