"""A run and the same run at half the tolerance: whether two specifications are such a pair, and how far they differ.

Directions and cos are compared at the τ at which both runs end a step (`landed`). τ counts from the flow's start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dirconv.claims import Evidence

if TYPE_CHECKING:
    import pandas as pd

NUMERICS = 1
DIGITS = 6  # of τ: steps land on multiples of `land`, up to rounding


def is_half(specification: dict[str, Any], half: dict[str, Any]) -> str:
    """'' if `half` is the same flow at exactly half the tolerance; else one line that names the key that differs.

    Both are plain JSON, of a study or of a manifest. They must be equal but for the run's name and `flow.tolerance`.
    """
    for given in (specification, half):
        flow = given.get("flow")
        tolerance = flow.get("tolerance") if isinstance(flow, dict) else None
        if isinstance(tolerance, bool) or not isinstance(tolerance, int | float):
            return f"flow.tolerance: {given.get('run')} has none"
    difference = _difference({**specification, "run": half.get("run")}, half)
    if difference:
        return difference
    ours, theirs = specification["flow"]["tolerance"], half["flow"]["tolerance"]
    return "" if theirs == ours / 2 else f"flow.tolerance: {theirs!r} is not half of {ours!r}"


def _difference(first: Any, second: Any, key: str = "") -> str:
    """The first key at which two specifications differ, with both values; flow.tolerance is left to the caller."""
    if key == "flow.tolerance":
        return ""
    if isinstance(first, dict) and isinstance(second, dict):
        inner = ((name, first.get(name), second.get(name)) for name in dict.fromkeys([*first, *second]))
        parts = (_difference(ours, theirs, f"{key}.{name}" if key else name) for name, ours, theirs in inner)
        return next(filter(None, parts), "")
    return "" if first == second else f"{key}: {first!r} and {second!r} differ"


def largest_change_of_cos(pairs: tuple[tuple[Evidence, Evidence], ...]) -> float | None:
    """Largest difference in the velocity's cos over all pairs and the second half of the τ that both runs land on.

    Reads `path`; None where no pair has a τ in common.
    """
    changes = []
    for pair in pairs:
        first, second = (_landed(run.tables["path"]).set_index("tau")["cos"] for run in pair)
        common = first.index.intersection(second.index)
        if len(common):
            change = np.abs(first[common].to_numpy() - second[common].to_numpy())
            changes.append(float(change[len(common) // 2 :].max()))
    return max(changes, default=None)


def angles(first: Evidence, second: Evidence) -> pd.Series:
    """Angle (rad) between the directions of two runs, by the τ at which both land. Reads `sketch`."""
    import pandas as pd

    a, b = (  # a row a landing, a column a bucket of the sketch
        _landed(run.tables["sketch"]).pivot(index="tau", columns="bucket", values="value") for run in (first, second)
    )
    common = a.index.intersection(b.index)
    chord = np.linalg.norm(a.loc[common].to_numpy() - b.loc[common].to_numpy(), axis=1)
    return pd.Series(2 * np.arcsin(np.minimum(chord / 2, 1.0)), index=common)


def _landed(table: pd.DataFrame) -> pd.DataFrame:
    """The rows at which a step lands, with τ rounded."""
    return table[table["landed"].astype(bool)].assign(tau=lambda rows: rows["tau"].round(DIGITS))
