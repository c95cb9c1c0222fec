"""What the rules about a limit share: does something that has travelled so far at each τ go on for ever?"""

from __future__ import annotations

import dataclasses

import numpy as np

from dirconv.claims import Outcome, Verdict, inconclusive
from dirconv.claims.rules import _common
from dirconv.claims.statistics import tail


@dataclasses.dataclass(frozen=True, kw_only=True)
class Convergence:
    """Supported: the 95 % interval of the exponent p lies above `exponent`, and the rest of the way, extrapolated with
    the interval's lower end, is at most `remaining`. Contradicted: the interval lies below `exponent`. Neither is said
    before τ has grown by `tau`. p is fitted over the last `decades` of τ.
    """

    exponent: float  # 1 is where ∫τ^(−p) dτ stops converging
    remaining: float  # in x's units
    tau: float
    decades: float  # of τ, over which the exponent is fitted

    __pydantic_config__ = {"extra": "forbid", "strict": True}


def convergence(tau: np.ndarray, travelled: np.ndarray, end: float, thresholds: Convergence, unit: str) -> Outcome:
    """Verdict on whether x, having `travelled` so far at each τ, converges; `end` is the τ that the run reached."""
    found = tail(tau, travelled, thresholds.decades)
    if found is None:
        return inconclusive("too few points in τ for a decay exponent")
    interval = (found.exponent, found.low, found.high)
    short = _common.too_short(end, thresholds.tau)
    if short:
        return inconclusive(short, *interval)
    rest = found.remaining(found.low)
    if found.low > thresholds.exponent and rest <= thresholds.remaining:
        return Outcome(Verdict.SUPPORTED, *interval, f"at most {rest:.3g} {unit} remain to be travelled")
    if found.high < thresholds.exponent:
        return Outcome(Verdict.CONTRADICTED, *interval, "the speed decays too slowly for a finite way")
    return inconclusive(f"the interval decides nothing yet, or too much remains ({rest:.3g} {unit})", *interval)
