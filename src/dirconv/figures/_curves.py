"""Curves that several figures compute from tables: speeds, and values on a grid that seeds share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from dirconv.claims.statistics import secants

if TYPE_CHECKING:
    import pandas as pd

    from dirconv.figures import Source


def secant_speeds(tau: np.ndarray, travelled: np.ndarray) -> pd.DataFrame:
    """d(travelled)/dτ by secants, twelve to a decade of τ: columns tau, value. Arrays (m,), τ from zero on."""
    import pandas as pd

    middle, speed, _ = secants(tau, travelled)
    return pd.DataFrame({"tau": middle, "value": speed})


def path_speeds(source: Source) -> pd.DataFrame:
    """dζ/dτ = tan ∠(W, v) by secants: columns tau, value (rad)."""
    return secant_speeds(source.path["tau"].to_numpy(), source.path["zeta"].to_numpy())


def chord_speeds(limit: pd.DataFrame) -> pd.DataFrame:
    """Lengths of the chords in a table `limit` over Δτ: columns tau (their geometric middles), value (rad)."""
    import pandas as pd

    known = limit.dropna(subset="chords")
    tau, chords = known["tau"].to_numpy(), known["chords"].to_numpy()
    return pd.DataFrame({"tau": np.sqrt(tau[1:] * tau[:-1]), "value": np.diff(chords) / np.diff(tau)})


def cosine(tangent: np.ndarray) -> np.ndarray:
    """cos ∠ of tan ∠ ≥ 0."""
    return 1 / np.sqrt(1 + tangent**2)


def last_common_tau(sources: Iterable[Source]) -> dict[str, float]:
    """Of each run, the last τ that all its seeds reach."""
    common: dict[str, float] = {}
    for source in sources:
        last = source.path["tau"].iloc[-1]
        common[source.run] = min(common.get(source.run, last), last)
    return common


def log_spaced(first: float, last: float, count: int = 60) -> np.ndarray:
    """(count,) places along a logarithmic axis; only `last` if that is not above `first`."""
    return np.geomspace(first, last, count) if 0 < first < last else np.array([last])


def interpolated(table: pd.DataFrame, x: str, y: str, at: np.ndarray) -> pd.DataFrame:
    """One seed's y at the given x, linearly; NaN outside its range. For logarithmic axes, pass logarithms."""
    import pandas as pd

    known = table[[x, y]].dropna().sort_values(x)
    if known.empty:
        return pd.DataFrame({x: at, y: np.nan})
    return pd.DataFrame({x: at, y: np.interp(at, known[x], known[y], left=np.nan, right=np.nan)})
