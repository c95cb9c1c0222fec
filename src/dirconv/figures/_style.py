"""How every figure looks. The same data give the same bytes."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

Palette: TypeAlias = dict[str, Any]  # a colour for each run, or for each of what else tells curves apart
Panels: TypeAlias = dict[str, tuple[str, str, str]]  # of each quantity: its panel's title, and the labels of x and y
NUMERICS = 1
WIDTH = 6.9  # inches: across both columns of a page
TICKS = {"labelsize": 7, "major.size": 3.5, "minor.size": 1.8, "major.width": 0.7, "minor.width": 0.5}
GUIDE = {"color": "0.45", "linewidth": 0.9, "linestyle": (0, (4, 2)), "zorder": 1}  # reference lines
DOTS = {"marker": "o", "markersize": 2.6, "markeredgewidth": 0}  # a curve of few points
MANY_CURVES = {"alpha": 0.6, "linewidth": 0.8}  # curves of many seeds in one panel
LOG_INVERSE_RISK = r"$\ln(1/\mathcal{L})$"
TAU = r"$\tau = \ln(\Vert W\Vert/\Vert W_0\Vert)$"
COS = r"$\cos\angle(W,\,v)$"
SLOPE_MINUS_ONE = r"slope −1: $\int d\zeta$ diverges"
NO_START = "nothing to show:\nno run has reached ℒ < ℓ(0)"


@contextlib.contextmanager
def applied() -> Iterator[None]:
    """The settings that figures are drawn and saved with."""
    import matplotlib
    import seaborn

    settings = {
        **matplotlib.rcParamsDefault,
        **seaborn.axes_style("ticks"),
        **seaborn.plotting_context("paper"),
        "font.family": ["sans-serif"],
        "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib: the same on every machine
        "mathtext.fontset": "dejavusans",
        **dict.fromkeys(("font.size", "axes.titlesize", "axes.labelsize"), 8),
        **dict.fromkeys(("legend.fontsize", "legend.title_fontsize"), 7),
        **{f"{axis}tick.{name}": value for axis in "xy" for name, value in TICKS.items()},
        "axes.titlelocation": "left",
        "legend.frameon": False,
        "axes.linewidth": 0.7,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "lines.linewidth": 1.0,
        "lines.markersize": 4,
        "figure.constrained_layout.use": True,
        "figure.dpi": 100,
        "savefig.dpi": 200,
        "pdf.fonttype": 42,
        "svg.hashsalt": "dirconv",
    }
    settings = {key: value for key, value in settings.items() if key not in ("backend", "interactive", "toolbar")}
    with matplotlib.rc_context(settings):
        yield


def picture_of_height(height: float) -> Picture:
    """An empty picture of full width; height in inches.

    Not made through pyplot, which would keep it and choose a backend; saving it needs neither.
    """
    from matplotlib.figure import Figure as Picture

    return Picture(figsize=(WIDTH, height), layout="constrained")


def panels(rows: int, columns: int, height: float, **options: Any) -> tuple[Picture, Any]:
    """A picture of full width with an array (rows, columns) of axes; height in inches."""
    picture = picture_of_height(height)
    return picture, picture.subplots(rows, columns, squeeze=False, **options)


def colours(runs: Iterable[str]) -> Palette:
    """A colour for each run, by order; colour-blind readers can tell them apart."""
    runs = list(dict.fromkeys(runs))
    order = [0, 3, 2, 4, 1, 7, 5, 8, 6, 9]  # neighbours differ much, in lightness too
    return dict(zip(runs, _reordered("colorblind", order, len(runs)), strict=True))


def kinds(count: int) -> list[Any]:
    """Colours for kinds of layers, other than those of runs."""
    return _reordered("Dark2", [7, 6, 0, 2, 3, 1, 5, 4], count)


def _reordered(name: str, order: list[int], count: int) -> list[Any]:
    """`count` colours of seaborn's palette in another order, repeated where it has fewer."""
    import seaborn

    base = seaborn.color_palette(name)
    return [base[order[i % len(order)]] for i in range(count)]


def sequence(count: int) -> list[Any]:
    """Colours from pale to dark, for what has an order."""
    import seaborn

    return seaborn.color_palette("flare", count)


def curves(axes: Axes, table: pd.DataFrame, x: str, y: str, palette: Palette, none: str = NO_START, **options) -> None:
    """A thin line for each run and seed, in the run's colour; `none` is said where the table is empty."""
    import seaborn

    if table.empty:
        empty(axes, none)
        return
    seaborn.lineplot(
        table, x=x, y=y, hue="run", units="seed", estimator=None, palette=palette, sort=False, legend=False,
        ax=axes, **{"linewidth": 0.9, "alpha": 0.9, **options},
    )  # fmt: skip


def band(axes: Axes, table: pd.DataFrame, x: str, y: str, palette: Palette, by: str = "run", **options) -> None:
    """Median and range of y over seeds at each x, in a colour for each value of `by`; seeds must share their x.

    Nothing is drawn at an x where fewer than half as many seeds are known as elsewhere: the median of few would jump
    from seed to seed.
    """
    known = table.dropna(subset=[y])
    if known.empty:
        empty(axes, "nothing to show")
        return
    for name, rows in known.groupby(by, sort=False):
        over_seeds = rows.groupby(x)[y].agg(["median", "min", "max", "count"])
        over_seeds = over_seeds[over_seeds["count"] >= over_seeds["count"].max() / 2]
        axes.plot(over_seeds.index, over_seeds["median"], color=palette[name], linewidth=1.2, **options)
        fill = {"color": palette[name], "alpha": 0.2, "linewidth": 0}
        axes.fill_between(over_seeds.index, over_seeds["min"], over_seeds["max"], **fill)


def points(axes: Axes, table: pd.DataFrame, x: str, y: str, palette: Palette, by: str = "run") -> None:
    """A point for each row and the median of each group; x names the groups, side by side along the axis."""
    names = list(dict.fromkeys(table[x]))
    for place, name in enumerate(names):
        rows = table[table[x] == name]
        colour = palette[rows[by].iloc[0]]
        shift = np.linspace(-0.15, 0.15, len(rows)) if len(rows) > 1 else [0.0]
        axes.plot(place + np.asarray(shift), rows[y], "o", color=colour, markersize=2.8, alpha=0.8, markeredgewidth=0)
        axes.plot([place - 0.28, place + 0.28], [rows[y].median()] * 2, color=colour, linewidth=1.4)
    axes.set_xticks(range(len(names)), [str(name).replace("_", " ") for name in names], rotation=30, ha="right")
    axes.set_xlim(-0.6, len(names) - 0.4)


def exponents(axes: Axes, kappas: dict[str, list[float]], fontsize: float) -> None:
    """Write κ of each run in the lower left corner: the median over seeds and their range."""
    lines = [f"{run}: κ = {np.median(k):.2f} [{min(k):.2f}, {max(k):.2f}]" for run, k in kappas.items()]
    axes.text(
        0.02, 0.02, "\n".join(lines), transform=axes.transAxes, fontsize=fontsize, va="bottom",
        bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0},
    )  # fmt: skip


def log(axes: Axes, x: bool = False, y: bool = False) -> None:
    """Make axes logarithmic if lines are drawn; ticks are plain numbers on axes within 0.01 to 10⁴."""
    from matplotlib.ticker import LogLocator, NullFormatter

    if not axes.lines:
        return
    if x:
        axes.set_xscale("log")
    if y:
        axes.set_yscale("log")
    for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        low, high = limits
        if axis.get_scale() != "log" or low < 1e-2 or high > 1e4:
            continue
        axis.set_major_formatter("{x:g}")
        if high / low < 50:
            axis.set_minor_locator(LogLocator(subs=(2, 5)))
            axis.set_minor_formatter("{x:g}")
        else:
            axis.set_minor_formatter(NullFormatter())


def rows_of_panels(rows: list[Any], columns: int, none: str = NO_START, **options: Any) -> tuple[Picture, Any]:
    """A row of panels for each of `rows`; if there is none, one row of empty panels that say why."""
    count = max(len(rows), 1)
    picture, axes = panels(count, columns, 0.4 + 2.0 * count, **options)
    for panel in () if rows else axes.flat:
        empty(panel, none)
    return picture, axes


def by_quantity(axes: Any, table: pd.DataFrame, panels: Panels) -> Iterator[tuple[Axes, str, pd.DataFrame]]:
    """Each panel, labelled, with its quantity and the rows of that."""
    for panel, (quantity, (title, xlabel, ylabel)) in zip(axes, panels.items(), strict=True):
        panel.set(title=title, xlabel=xlabel, ylabel=ylabel)
        yield panel, quantity, table[table["quantity"] == quantity]


def finished(picture: Picture, axes: Any, sources: list[Any], palette: Palette, *more: Any) -> Picture:
    """The picture, with lettered panels and a legend above: each run's colour, number of seeds; then handles `more`."""
    from matplotlib.lines import Line2D

    handles = []
    for run in dict.fromkeys(source.run for source in sources):
        of_run = [source for source in sources if source.run == run]
        seeds = f", {len(of_run)} seeds" if len(of_run) > 1 else ""
        handles.append(Line2D([], [], color=palette[run], linewidth=1.6, label=of_run[0].network + seeds))
    handles += more
    if handles:
        columns = min(len(handles), 4 if len(handles) < 7 else 3)
        picture.legend(handles=handles, loc="outside upper center", ncols=columns)
    lettered(axes)
    return picture


def guide(label: str, **options: Any) -> Any:
    """Legend entry of a reference line."""
    from matplotlib.lines import Line2D

    return Line2D([], [], **{**GUIDE, **options}, label=label)


def lettered(axes: Any) -> None:
    """Put (a), (b), …, (z), (aa), … before the titles of the panels that are shown."""
    letters = itertools.chain(ascii_lowercase, map("".join, itertools.product(ascii_lowercase, repeat=2)))
    for letter, panel in zip(letters, (panel for panel in np.ravel(axes) if panel.axison), strict=False):
        panel.set_title(f"({letter}) {panel.get_title('left')}".rstrip(), loc="left")


def empty(axes: Axes, text: str = NO_START) -> None:
    """An empty panel that says why."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color="0.4", fontsize=7)
    axes.set(xticks=[], yticks=[])
