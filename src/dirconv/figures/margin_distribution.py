"""The distribution of normalized margins along the flow: does it settle?

One row per network (its lowest seed), one column per normalization. Each curve is a snapshot: the share of training
examples whose normalized margin is at most m. A homogeneous network's margins are divided by ‖W‖^L. A network without a
degree has no such normalization; its margins are divided by the norm of the last layer, and by the mean margin, which
shows the shape alone. Margins divided by ℓ⁻¹(ℒ) are at least 1, and their axis is logarithmic.
"""

from __future__ import annotations

import numpy as np

from dirconv.figures import POINTS, Drawing, Figure, Source, Table, first_seeds, frame, separating, stack, style

NUMERICS = 1
FIGURE = Figure(tables=("margins",))
COLUMNS = ["run", "network", "seed", "normalization", "snapshot", "log_inverse_risk", "margin", "share"]
SNAPSHOTS = 6
LABELS = {
    "by_norm": r"$p_i/\Vert W\Vert^L$",
    "by_last": r"$p_i/\Vert W_{\mathrm{last}}\Vert$",
    "by_risk": r"$p_i/\ell^{-1}(\mathcal{L})$",
    "by_mean": r"$p_i/\mathrm{mean}\,|p_j|$",
}


def _normalizations(source: Source) -> list[str]:
    return ["by_norm", "by_risk"] if source.degree is not None else ["by_last", "by_risk", "by_mean"]


def _snapshots(rows: Table) -> list[int]:
    """About SNAPSHOTS of them, log-spaced in ln(1/ℒ), with the first and the last."""
    levels = rows.groupby("snapshot")["log_inverse_risk"].first()
    levels = np.log(levels[levels > 0])
    wanted = np.linspace(levels.iloc[0], levels.iloc[-1], SNAPSHOTS)
    return sorted({int((levels - level).abs().idxmin()) for level in wanted} | {levels.index[0], levels.index[-1]})


def _distribution(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The empirical distribution function at no more than POINTS of the sorted values, with both ends."""
    values = np.sort(values[~np.isnan(values)])
    share = np.arange(1, len(values) + 1) / max(len(values), 1)
    at = np.unique(np.linspace(0, len(values) - 1, min(POINTS, len(values))).round().astype(int))
    return values[at], share[at]


def _legend(picture, row: np.ndarray, levels: list[float], shades: list) -> None:
    """To the right of a network's row: the colours of its snapshots with their ln(1/ℒ)."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import BoundaryNorm, ListedColormap

    count = len(levels)
    colours = ScalarMappable(BoundaryNorm(np.arange(count + 1), count), ListedColormap(shades))
    bar = picture.colorbar(colours, ax=list(row), ticks=np.arange(count) + 0.5, aspect=18, pad=0.02)
    bar.ax.set_yticklabels([f"{level:.3g}" for level in levels])
    bar.ax.tick_params(length=0)
    bar.ax.minorticks_off()
    bar.outline.set_visible(False)
    bar.set_label(style.LOG_INVERSE_RISK)


def draw(sources: list[Source]) -> Drawing:
    """The picture, and its data: a row a point of a curve."""
    shown = first_seeds(separating(sources, "margins"))
    parts = []
    for source in shown:
        rows = source.snapshots("margins")
        for snapshot in _snapshots(rows):
            of_snapshot = rows[rows["snapshot"] == snapshot]
            level = float(of_snapshot["log_inverse_risk"].iloc[0])
            for name in _normalizations(source):
                margin, share = _distribution(of_snapshot[name].to_numpy(dtype=float))
                part = frame(normalization=name, snapshot=snapshot, log_inverse_risk=level, margin=margin, share=share)
                parts.append(part.assign(**source.identity))
    table = stack(parts, COLUMNS)

    columns = max((len(_normalizations(source)) for source in shown), default=1)
    rows = max(len(shown), 1)
    picture, axes = style.panels(rows, columns, 0.3 + 2.3 * rows, sharey=True)
    if not shown:
        style.empty(axes[0, 0])
    for row, source in zip(axes, shown, strict=False):
        of_run = table[table["run"] == source.run]
        levels = of_run.groupby("snapshot")["log_inverse_risk"].first()
        shades = dict(zip(levels.index, style.sequence(len(levels)), strict=True))
        names = _normalizations(source)
        for panel, name in zip(row, names, strict=False):
            curves = of_run[of_run["normalization"] == name]
            for snapshot, curve in curves.groupby("snapshot"):
                panel.plot(curve["margin"], curve["share"], color=shades[snapshot])
            if curves.empty:
                style.empty(panel, "not defined")
            style.log(panel, x=name == "by_risk" and bool((curves["margin"] > 0).all()))
            panel.set(xlabel=LABELS[name], ylim=(0, 1.02), title=source.network if name == names[0] else "")
        row[0].set_ylabel("share of examples")
        for panel in row[len(names) :]:
            panel.set_axis_off()
        _legend(picture, row, levels.to_list(), list(shades.values()))
    style.lettered(axes)
    return picture, table
