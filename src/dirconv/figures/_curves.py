"""Curves that several figures compute from tables: speeds, and values on a grid that seeds share."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from dirconv.claims.statistics import secants
from dirconv.figures import Source, Table, frame


def secant_speeds(tau: np.ndarray, travelled: np.ndarray) -> Table:
    """d(travelled)/dτ by secants, twelve to a decade of τ: columns tau, value. Arrays (m,), τ from zero on."""
    middle, speed, _ = secants(tau, travelled)
    return frame(tau=middle, value=speed)


def path_speeds(source: Source) -> Table:
    """dζ/dτ = tan ∠(W, v) by secants: columns tau, value (rad)."""
    return secant_speeds(source.path["tau"].to_numpy(), source.path["zeta"].to_numpy())


def chord_speeds(limit: Table) -> Table:
    """Lengths of the chords in a table `limit` over Δτ: columns tau (their geometric middles), value (rad)."""
    known = limit.dropna(subset="chords")
    tau, chords = known["tau"].to_numpy(), known["chords"].to_numpy()
    return frame(tau=np.sqrt(tau[1:] * tau[:-1]), value=np.diff(chords) / np.diff(tau))


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


def interpolated(table: Table, x: str, y: str, at: np.ndarray) -> Table:
    """One seed's y at the given x, linearly; NaN outside its range. For logarithmic axes, pass logarithms."""
    known = table[[x, y]].dropna().sort_values(x)
    if known.empty:
        return frame(**{x: at, y: np.nan})
    return frame(**{x: at, y: np.interp(at, known[x], known[y], left=np.nan, right=np.nan)})
