"""How every figure looks, and the same bytes for the same data."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 6.9  # inches: across both columns of a page
GUIDE = {"color": "0.45", "linewidth": 0.9, "linestyle": (0, (4, 2)), "zorder": 1}  # reference lines
LOG_INVERSE_RISK = r"$\ln(1/\mathcal{L})$"
TAU = r"$\tau = \ln(\Vert W\Vert/\Vert W_0\Vert)$"
COS = r"$\cos\angle(W,\,v)$"


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
        "font.size": 8,
        "axes.titlesize": 8,
        "axes.titlelocation": "left",
        "axes.labelsize": 8,
        "xtick.labelsize": 7,
        "ytick.labelsize": 7,
        "legend.fontsize": 7,
        "legend.title_fontsize": 7,
        "legend.frameon": False,
        "axes.linewidth": 0.7,
        "xtick.major.size": 3.5,
        "ytick.major.size": 3.5,
        "xtick.minor.size": 1.8,
        "ytick.minor.size": 1.8,
        "xtick.major.width": 0.7,
        "ytick.major.width": 0.7,
        "xtick.minor.width": 0.5,
        "ytick.minor.width": 0.5,
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


def panels(rows: int, columns: int, height: float, **options: Any) -> tuple[Figure, Any]:
    """A figure of full width with an array (rows, columns) of axes.

    Not made through pyplot, which would keep it and choose a backend; saving it needs neither.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def colours(runs: Iterable[str]) -> dict[str, Any]:
    """A colour for each run, by order; told apart by colour-blind readers too."""
    import seaborn

    runs = list(dict.fromkeys(runs))
    base = seaborn.color_palette("colorblind")
    order = [0, 3, 2, 4, 1, 7, 5, 8, 6, 9]  # neighbours far apart, in lightness too
    return {run: base[order[i % len(order)]] for i, run in enumerate(runs)}


def sequence(count: int) -> list[Any]:
    """Colours from pale to dark for what has an order."""
    import seaborn

    return seaborn.color_palette("flare", count)


def kinds(count: int) -> list[Any]:
    """Colours for kinds of layers: not those of runs."""
    import seaborn

    base = seaborn.color_palette("Dark2")
    order = [7, 6, 0, 2, 3, 1, 5, 4]
    return [base[order[i % len(order)]] for i in range(count)]


def curves(axes: Axes, table: pd.DataFrame, x: str, y: str, palette: dict[str, Any], **options: Any) -> None:
    """A thin line for each run and seed, in the run's colour."""
    import seaborn

    if table.empty:
        empty(axes)
        return
    seaborn.lineplot(
        table, x=x, y=y, hue="run", units="seed", estimator=None, palette=palette, sort=False, legend=False,
        ax=axes, **{"linewidth": 0.9, "alpha": 0.9, **options},
    )  # fmt: skip


def log(axes: Axes, x: bool = False, y: bool = False) -> None:
    """Logarithmic axes, if anything is drawn; ticks of everyday size are written out, in between too if few."""
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


def runs_legend(figure: Figure, sources: list[Any], palette: dict[str, Any], *more: Any) -> None:
    """Above the panels: each run's colour and how many seeds it has, then `more` handles."""
    from matplotlib.lines import Line2D

    handles = []
    for run in dict.fromkeys(source.run for source in sources):
        of_run = [source for source in sources if source.run == run]
        seeds = f", {len(of_run)} seeds" if len(of_run) > 1 else ""
        handles.append(Line2D([], [], color=palette[run], linewidth=1.6, label=of_run[0].network + seeds))
    handles += more
    if handles:
        figure.legend(
            handles=handles, loc="outside upper center", ncols=min(len(handles), 4 if len(handles) < 7 else 3)
        )


def guide(label: str, **options: Any) -> Any:
    """A legend's entry for a reference line."""
    from matplotlib.lines import Line2D

    return Line2D([], [], **{**GUIDE, **options}, label=label)


def lettered(axes: Iterable[Axes]) -> None:
    """(a), (b), …, (z), (aa), … before the panels' titles, for those that are shown."""
    letters = itertools.chain(ascii_lowercase, map("".join, itertools.product(ascii_lowercase, repeat=2)))
    for letter, one in zip(letters, (one for one in axes if one.axison), strict=False):
        one.set_title(f"({letter}) {one.get_title('left')}".rstrip(), loc="left")


def empty(axes: Axes, text: str = "nothing to show:\nno run has reached ℒ < ℓ(0)") -> None:
    """An empty panel that says why."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color="0.4", fontsize=7)
    axes.set(xticks=[], yticks=[])
