"""What the page's plots show: paths, alignment and margins of a study's runs, from their measures, thinned."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dirconv import artifacts
from dirconv.figures import Source, first_seeds, thin

SEEDS = 3  # of a run whose paths are shown; of a small problem one
POINTS = 240  # most of a path
SNAPSHOTS = 40  # most at which margins are shown, besides the last
SHARES = np.linspace(0, 1, 51)  # of examples, at which a distribution is given
TABLES = ("path", "chords", "margins")


def explored(audit: dict[str, Any]) -> dict[str, Any] | None:
    """Curves by run, and margins by network, of the audit's runs whose measures are there; None if there are none."""
    sources = [source for source in _sources(audit) if len(source.path)]
    if not sources:
        return None
    named = {run: network["name"] for claim in audit["claims"] for run, network in claim["networks"].items()}
    names = {source.run: named.get(source.run, source.network) for source in sources}
    of_margins = [source for source in first_seeds(sources) if "margins" in source.tables]
    return {
        "curves": [{"name": f"{names[source.run]}, seed {source.seed}", **_curves(source)} for source in sources],
        "margins": [{"name": names[source.run], **_margins(source)} for source in of_margins],
        "shares": _short(SHARES),
    }


def _sources(audit: dict[str, Any]) -> Iterator[Source]:
    """The runs, at most SEEDS of each, and the first seed of each small problem."""
    problems = (f"{name}/seed{problem['seeds'][0]}" for name, problem in audit["problems"].items())
    shown: dict[str, int] = {}
    for member in (*audit["runs"], *problems):
        folder = Path(audit["results"], "measures", member)
        run = member.partition("/")[0]
        shown[run] = shown.get(run, 0) + 1
        if (folder / artifacts.MANIFEST).exists() and shown[run] <= SEEDS:
            record = artifacts.read_manifest(folder, verify=False)  # the audit's evidence is checked, this is a picture
            names = [name for name in TABLES if f"{name}.parquet" in record["files"]]
            yield Source(member, artifacts.read_tables(folder, names), record)


def _curves(source: Source) -> dict[str, Any]:
    """The run, and of each quantity τ and its values there."""
    path = thin(source.path, "cos", POINTS)
    curves = {key: [_short(path["tau"]), _short(path[key])] for key in ("cos", "tan", "zeta")}
    if "chords" in source.tables:
        chords = source.snapshots("chords").dropna(subset="speed")
        curves["speed"] = [_short(chords["tau"]), _short(chords["speed"])]
    return {"run": source.run, **curves}


def _margins(source: Source) -> dict[str, Any]:
    """The distribution of normalized margins at each shown snapshot: quantiles at SHARES."""
    column = "by_norm" if source.degree is not None else "by_last"
    rows = source.snapshots("margins").dropna(subset=column)
    snapshots = [group for _, group in rows.groupby("snapshot")]
    chosen = np.unique(np.linspace(0, len(snapshots) - 1, min(SNAPSHOTS + 1, len(snapshots))).round().astype(int))
    snapshots = [snapshots[i] for i in chosen]
    return {
        "column": column,
        "tau": _short(group["tau"].iloc[0] for group in snapshots),
        "log_inverse_risk": _short(group["log_inverse_risk"].iloc[0] for group in snapshots),
        "quantiles": [_short(np.quantile(group[column], SHARES)) for group in snapshots],
    }


def _short(values) -> list[float | None]:
    """Five digits of each; None for what is no finite number."""
    return [float(f"{value:.5g}") if np.isfinite(value) else None for value in values]
