"""What the rules about a limit share: does something that has travelled so far at each τ go on for ever?"""

from __future__ import annotations

import dataclasses

import numpy as np

from dirconv.claims import Outcome, Verdict, inconclusive
from dirconv.claims.rules import _common
from dirconv.claims.statistics import decay


@dataclasses.dataclass(frozen=True, kw_only=True)
class Convergence:
    """P is the exponent of the family A (τ + τ₀)^(−P), fitted to the speed over the last `decades` of τ, or up to twice
    that where it fits.

    Supported: the 95 % interval of P lies above `exponent`, and the rest of the way, the longest that the interval
    admits, is at most `remaining`. Contradicted: the interval lies below `exponent` + `resolution`, for a P that close
    to 1 leaves a way that no run can tell from an infinite one; and the slope that shows has stopped rising. Neither is
    said before τ has grown by `tau`.
    """

    exponent: float  # 1 is where ∫τ^(−P) dτ stops converging
    resolution: float
    remaining: float  # in x's units
    tau: float
    decades: float  # of τ, over which P is fitted

    __pydantic_config__ = {"extra": "forbid", "strict": True}


def convergence(tau: np.ndarray, travelled: np.ndarray, end: float, thresholds: Convergence, unit: str) -> Outcome:
    """Verdict on whether x, having `travelled` so far at each τ, converges; `end` is the τ that the run reached."""
    found = decay(tau, travelled, thresholds.decades)
    if found is None:
        return inconclusive("too few points in τ for a decay exponent")
    interval = (found.exponent, found.low, found.high)
    short = _common.too_short(end, thresholds.tau)
    if short:
        return inconclusive(short, *interval)
    if found.low > thresholds.exponent and found.remaining <= thresholds.remaining:
        return Outcome(Verdict.SUPPORTED, *interval, f"at most {found.remaining:.3g} {unit} remain to be travelled")
    slow = thresholds.exponent + thresholds.resolution
    if found.moving and found.high < slow and (found.settled or found.ahead < slow):
        return Outcome(Verdict.CONTRADICTED, *interval, "the speed decays too slowly for a finite way")
    return inconclusive(
        f"the interval decides nothing yet, or too much may remain ({found.remaining:.3g} {unit})", *interval
    )
