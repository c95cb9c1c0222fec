"""Which layers align: cos ∠(W_k, −∇_k ℒ) of each parameter tensor, and its share of ‖W‖² and of ‖∇ℒ‖².

One row per network (its lowest seed). With few tensors each has its own colour, pale to dark from the first to the
last. With many, tensors are coloured by kind, recognized by their names: the last layer; γ and β of normalizations
(tensors `weight` and `bias` side by side, in a network that also has layers without bias); weights without a bias,
which are convolutions. Thin lines are tensors; a thick line is a kind as a whole. A tensor of one number has cos = ±1.
"""

from __future__ import annotations

import numpy as np

from dirconv.figures import Drawing, Figure, Source, Table, first_seeds, positive, separating, stack, style

NUMERICS = 1
FIGURE = Figure(tables=("layers",))
COLUMNS = ["run", "network", "seed", "quantity", "group", "layer", "snapshot", "log_inverse_risk", "value"]
MAX_OWN_COLOURS = 10  # of a network with more tensors, kinds are coloured
SHARES = {"weight_share": r"share of $\Vert W\Vert^2$", "gradient_share": r"share of $\Vert\nabla\mathcal{L}\Vert^2$"}


def groups(layers: list[str]) -> dict[str, str]:
    """The group of each parameter tensor, in the network's order: itself, or its kind where there are many."""
    if len(layers) <= MAX_OWN_COLOURS:
        return {layer: f"{i} ({layer})" for i, layer in enumerate(layers, 1)}
    owner = {layer: layer.rpartition(".")[0] for layer in layers}
    last = owner[layers[-1]]
    biased = {owner[layer] for layer in layers if layer.endswith("bias")} - {last}
    bias_free = {owner[layer] for layer in layers} - biased - {last}
    kinds = {}
    for layer in layers:
        tensor = layer.rpartition(".")[2]
        if owner[layer] == last:
            kinds[layer] = "last layer"
        elif owner[layer] in bias_free:
            kinds[layer] = "convolutions"
        elif bias_free:
            kinds[layer] = {"weight": "normalization γ", "bias": "normalization β"}.get(tensor, tensor)
        else:
            kinds[layer] = {"weight": "weights", "bias": "biases"}.get(tensor, tensor)
    return kinds


def _by_group(rows: Table) -> Table:
    """Shares of each group at each snapshot, and `group_cos`, the cosine between its parts of W and of −∇ℒ."""
    inner = rows["cos"] * np.sqrt(rows["weight_share"] * rows["gradient_share"])
    keys = ["group", "snapshot", "log_inverse_risk"]
    sums = rows.assign(inner=inner).groupby(keys, sort=False)[["inner", *SHARES]].sum().reset_index()
    norms = np.sqrt(sums["weight_share"] * sums["gradient_share"])
    return sums.assign(group_cos=sums["inner"] / norms.where(norms > 0, np.inf))


def draw(sources: list[Source]) -> Drawing:
    """The picture, and its data: a row a point; `layer` is empty where `value` is a group's."""
    shown = first_seeds(separating(sources, "layers"))
    parts, group_of = [], {}
    for source in shown:
        rows = positive(source.snapshots("layers"), "log_inverse_risk")
        group_of[source.run] = groups(list(dict.fromkeys(rows["layer"])))
        rows = rows.assign(group=rows["layer"].map(group_of[source.run]))
        parts.append(source.part(rows, "cos"))
        by_group = _by_group(rows)
        for quantity in SHARES if len(set(rows["group"])) == len(set(rows["layer"])) else ("group_cos", *SHARES):
            parts.append(source.part(by_group, quantity))
    table = stack(parts, COLUMNS)

    picture, axes = style.rows_of_panels(shown, 3, sharex="row", sharey="col")
    for row, source in zip(axes, shown, strict=False):
        of_run = table[table["run"] == source.run]
        kinds = group_of[source.run]
        own_colours = len(kinds) <= MAX_OWN_COLOURS
        order = list(dict.fromkeys(kinds.values()))
        shades = dict(zip(order, (style.sequence if own_colours else style.kinds)(len(order)), strict=True))
        cosines = of_run[of_run["quantity"] == "cos"]
        for layer, kind in kinds.items():
            curve = cosines[cosines["layer"] == layer]
            look = {"marker": "."} if own_colours else {"linewidth": 0.5, "alpha": 0.4}
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
    style.lettered(axes)
    return picture, table
