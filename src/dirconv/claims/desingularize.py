r"""The exponent of a desingularizing function: is ζ_∞ − ζ like a power of a − ã?

The paper's proof finds Ψ with Ψ(0) = 0 and dζ ≤ −c dΨ(a − ã), a being the limit of ã. With Ψ(u) = u^κ, and equality,

    Δζ = C [(a − ã₁)^κ − (a − ã₂)^κ]/κ        (ln of the ratio for κ = 0)                                   (1)

between any two points of the path. Any κ > 0 leaves a finite way; κ ≤ 0 an infinite one. a is not known, nor is C: (1)
is fitted to the logarithms of Δζ by least squares over κ, C and a beyond the last ã. The interval of κ is the
profile likelihood's, an F test at 95 %, widened where neighbouring residuals are correlated.
"""

import dataclasses

import numpy as np

from dirconv.claims.statistics import fisher, variance

NUMERICS = 1
GOES_THROUGH = ("tail_statistics",)
SECANTS = 24
FEWEST_SECANTS = 6
SMALLEST_RISE = 1e-11  # Δã over ã, below which it is rounding
KAPPA = np.linspace(-1.0, 3.0, 401)
BEYOND = np.geomspace(1e-6, 1e2, 241)  # a − ã_last over the last secant's Δã


@dataclasses.dataclass(frozen=True)
class Exponent:
    """κ of the best fit, and its interval."""

    kappa: float
    low: float
    high: float
    secants: int


def exponent(tau: np.ndarray, zeta: np.ndarray, margin: np.ndarray, since: float) -> Exponent | None:
    """Fit (1) over τ ≥ `since`; None with too few secants over which ã and ζ rise.

    tau, zeta, margin ã: (m,), in the order of the run. Secants lie between τ evenly spaced in ln τ.
    """
    late = tau >= since
    tau, zeta, margin = tau[late], zeta[late], np.maximum.accumulate(margin[late])
    if len(tau) < FEWEST_SECANTS + 1:
        return None
    edges = np.geomspace(tau[0], tau[-1], SECANTS + 1) * (1 - 1e-12)
    at = np.unique(np.searchsorted(tau, edges).clip(max=len(tau) - 1))
    kept = [at[0]]
    for i in at[1:]:  # join a secant over which ã rises by less than its rounding with the next
        if margin[i] - margin[kept[-1]] > SMALLEST_RISE * abs(margin[i]) and zeta[i] > zeta[kept[-1]]:
            kept.append(i)
    if len(kept) < FEWEST_SECANTS + 1:
        return None
    ln_length = np.log(np.diff(zeta[kept]))
    rest = margin[kept][-1] - margin[kept]  # ã_last − ã
    left = rest + (margin[kept][-1] - margin[kept][-2]) * BEYOND[:, None]  # a − ã, (a, points)
    # (x₁^κ − x₂^κ)/κ = x₁^κ (1 − (x₂/x₁)^κ)/κ, and −ln(x₂/x₁) for κ = 0
    ratio = np.log(left[:, 1:] / left[:, :-1])  # below zero
    kappa = KAPPA[:, None, None]
    safe = np.where(np.abs(kappa) < 1e-9, 1.0, kappa)
    drop = np.where(np.abs(kappa) < 1e-9, -ratio, -np.expm1(safe * ratio) / safe)
    residuals = ln_length - kappa * np.log(left[:, :-1]) - np.log(drop)
    residuals = residuals - residuals.mean(2, keepdims=True)
    squares = (residuals**2).sum(2)
    n = len(ln_length)  # at least FEWEST_SECANTS, for κ, C and a
    best = np.unravel_index(squares.argmin(), squares.shape)
    spread, _ = variance(residuals[best], n - 3)
    inside = KAPPA[(squares <= squares[best] + spread * fisher(n - 3)).any(1)]
    step = KAPPA[1] - KAPPA[0]
    return Exponent(float(KAPPA[best[0]]), float(inside.min() - step), float(inside.max() + step), n)
