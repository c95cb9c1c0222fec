r"""Tail statistics: does a speed that is observed over a finite τ decay fast enough to be integrable?

A quantity that has travelled x(τ) (the path length ζ, say) has a finite limit if its speed decays like τ^(−p) with
p > 1, or faster; at p ≤ 1 it has none (∫ dτ/τ diverges). The exponent is read off secants, Δx/Δτ between τ's that
are evenly spaced in ln τ: a secant averages whatever the speed does in between, so that the chatter of discrete
steps neither hides nor makes a trend.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

LEVEL = 0.95  # of every interval


@dataclasses.dataclass(frozen=True)
class Tail:
    """The fit ln(speed) = constant − p ln τ over the last part of the observed τ."""

    exponent: float  # p
    low: float  # its interval (Student's t, from the residuals about the line)
    high: float
    speed: float  # fitted speed at the last τ
    tau: float  # the last τ
    bins: int  # secants in the fit

    def remaining(self, exponent: float) -> float:
        """∫ speed dτ from the last τ to infinity if the decay goes on with this exponent; infinite for p ≤ 1."""
        return self.speed * self.tau / (exponent - 1) if exponent > 1 else math.inf


def tail(tau: np.ndarray, travelled: np.ndarray, decades: float, bins_per_decade: int = 12) -> Tail | None:
    """Fit the decay of d(travelled)/dτ over the last `decades` of τ; None with fewer than four secants.

    tau: (m,), increasing after its first entry, which is 0; travelled: (m,), non-decreasing. Neighbouring points
    closer than a bin are merged; where the points are sparser than the bins, each pair of points is a bin.
    """
    from scipy import stats  # a second to import, and a workflow that only looks for work needs no fit

    order = tau > 0
    tau, travelled = tau[order], travelled[order]
    if len(tau) < 2:
        return None
    last = float(tau.max())
    edges = last * 10 ** np.linspace(-decades, 0, round(decades * bins_per_decade) + 1)
    # τ may go back a little where explicit steps overshoot: the first passage of each edge is what counts
    passages = np.unique(np.searchsorted(np.maximum.accumulate(tau), edges * (1 - 1e-12)).clip(max=len(tau) - 1))
    t, x = tau[passages], travelled[passages]
    width, moved = np.diff(t), np.diff(x)
    good = (width > 0) & (moved > 0)
    if good.sum() < 4:
        return None
    middle = np.sqrt(t[:-1] * t[1:])[good]
    speed = (moved[good] / width[good]).astype(float)
    fit = stats.linregress(np.log(middle), np.log(speed))
    spread = stats.t.ppf(0.5 + LEVEL / 2, good.sum() - 2) * fit.stderr
    at_end = math.exp(fit.intercept + fit.slope * math.log(last))
    return Tail(-fit.slope, -fit.slope - spread, -fit.slope + spread, at_end, last, int(good.sum()))
