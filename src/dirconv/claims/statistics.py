r"""Tail statistics: does a speed that is observed over a finite τ decay fast enough to be integrable?

A quantity that has travelled x(τ) (the path length ζ, say) has a finite limit if its speed is integrable. The family

    dx/dτ = A (τ + τ₀)^(−P)                                                                                (1)

is what a gradient flow of a function with a Łojasiewicz exponent leads to: its distance D to the limit value obeys
D' = −c D^(2α), whose solutions are powers of a shifted τ for α > ½, and an exponential for α = ½, which (1) approaches
as P and τ₀ grow together, P/τ₀ = c. The speed is integrable if and only if P > 1. P is not the slope that data show:
that is P τ/(τ + τ₀), which is below one at first whatever P is. A slope that is still rising decides nothing, and a
straight line through it would be wrong with confidence.

The speed is read off secants, Δx/Δτ between τ's that are evenly spaced in ln τ: a secant averages whatever the speed
does in between, so that the chatter of discrete steps neither hides nor makes a trend. (1) is fitted to their
logarithms by least squares; an interval is the profile likelihood's: the union, over every τ₀ that an F test does not
reject, of Student's interval for P at that τ₀. Correlated neighbouring residuals widen it. No finite run tells a
speed that stands still from one that decays after a time much longer than the run: τ₀ is taken to be at most
`LARGEST_SHIFT` times the last τ. `settled` and `slope_ahead` say whether the slope has stopped rising, also where (1)
is not the law; `steepest` whether it was ever steep, and `largest_floor` above which constant a speed may stay.
"""

import dataclasses
import math

import numpy as np

NUMERICS = 1
CONFIDENCE = 0.95  # of every interval
LARGEST_SHIFT = 5.0  # τ₀ over the last τ, at most
SETTLED_SHIFT = 0.05  # τ₀ over the last τ, up to which the slope at the end is P up to a twentieth
SECANTS_PER_DECADE = 12
FEWEST_SECANTS = 6  # in a fit of three parameters
LAST_SECANTS = 8  # two thirds of a decade, for the slope at the end
PIECE = 6  # secants, half a decade: the shortest plateau that was seen
FULL_WEIGHT = 16  # observed intervals in a secant from which on it counts as much as any
RESOLUTION = 0.003  # of ln(speed): (1) is not exact, so residuals below this make nothing more certain
FITTING_CORRELATION = 0.4  # of neighbouring residuals, up to which (1) fits
LARGEST_CORRELATION = 0.8  # of neighbouring residuals that an interval is widened for
EXTRAPOLATION = 1000.0  # how far ahead the slope is extrapolated, over the last τ


@dataclasses.dataclass(frozen=True)
class Decay:
    """The family (1) fitted to the last part of the observed τ."""

    exponent: float  # P of the best fit
    low: float  # its interval
    high: float
    slope_low: float  # interval of the observed slope −d ln(speed)/d ln τ of the last secants, whatever the family
    slope_high: float
    settled: bool  # whether every admitted τ₀ is so short that the slope at the end is P up to a twentieth
    slope_ahead: float  # upper end of the slope at a τ a thousand times the last, if it keeps rising in ln τ as it does
    remaining: float  # greatest ∫ speed dτ from the last τ on over the interval of P; infinite if P ≤ 1 is in it
    secants: int
    moving: bool = True  # whether anything travelled over the last bin


def student(free: int) -> float:
    """Half the width of a 95 % interval over its standard error: Student's, with `free` degrees of freedom."""
    from scipy.special import stdtrit  # here: a dry run of the workflow needs no fit; scipy.stats takes a second

    return float(stdtrit(free, 0.5 + CONFIDENCE / 2))


def fisher(free: int) -> float:
    """The 95 % quantile of the F distribution with one and `free` degrees of freedom."""
    from scipy.special import fdtri

    return float(fdtri(1, free, CONFIDENCE))


def secants(tau: np.ndarray, travelled: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Secants between log-spaced τ: their geometric middles, speeds Δx/Δτ, and numbers of observed intervals.

    tau: (m,), from 0 and in the order of the run, in which it may go back; travelled: (m,), x, non-decreasing. Where
    points are sparser than bins, each pair of points is a bin. Secants over which nothing moved are left out.
    """
    tau, travelled = tau[tau > 0], travelled[tau > 0]
    if len(tau) < 2:
        return np.empty(0), np.empty(0), np.empty(0)
    top = np.maximum.accumulate(tau)  # τ may go back a little where explicit steps overshoot: first passages count
    bins = math.ceil(SECANTS_PER_DECADE * math.log10(top[-1] / tau[0]))
    edges = top[-1] * 10 ** (-np.arange(bins, -1, -1) / SECANTS_PER_DECADE)
    at = np.unique(np.searchsorted(top, edges * (1 - 1e-12)).clip(max=len(tau) - 1))
    with np.errstate(all="ignore"):
        speed = np.diff(travelled[at]) / np.diff(tau[at])
    good = (speed > 0) & np.isfinite(speed)
    return np.sqrt(tau[at][:-1] * tau[at][1:])[good], speed[good], np.diff(at)[good]


def decay(tau: np.ndarray, travelled: np.ndarray, decades: float) -> Decay | None:
    """Fit (1) over the last `decades` of τ, or over up to twice as many if residuals are hardly correlated there.

    None with fewer than six secants in all of that. Arrays as in `secants`.
    """
    middle, speed, intervals = secants(tau, travelled)
    fit = None
    for factor in (2.0, 1.5, 1.0):
        late = middle >= middle.max(initial=0) * 10 ** (-factor * decades)
        if late.sum() >= FEWEST_SECANTS:
            fit, correlation = _fit(middle[late], np.log(speed[late]), intervals[late], float(tau.max()))
            if correlation < FITTING_CORRELATION:
                break
    if fit is None:
        return None
    order = tau > 0
    before = np.interp(tau.max() * 10 ** (-1 / SECANTS_PER_DECADE), np.maximum.accumulate(tau[order]), travelled[order])
    return dataclasses.replace(fit, moving=bool(travelled[-1] > before))


def steepest(tau: np.ndarray, travelled: np.ndarray, decades: float) -> float:
    """The steepest that the speed certainly fell within the last `decades` of τ, over half a decade at a time.

    The largest lower end of the intervals for the slope −d ln(speed)/d ln τ of `PIECE` neighbouring secants; −∞ where
    there are fewer. Arrays as in `secants`.
    """
    middle, speed, intervals = secants(tau, travelled)
    late = middle >= middle.max(initial=0) * 10**-decades
    columns = middle[late], np.log(speed[late]), np.minimum(intervals[late], FULL_WEIGHT)
    pieces = range(int(late.sum()) - PIECE + 1)
    return max((_slope(*(column[k : k + PIECE] for column in columns))[0] for k in pieces), default=-math.inf)


def largest_floor(tau: np.ndarray, travelled: np.ndarray, decades: float) -> float:
    """The largest limit of the speed that the last `decades` of τ admit: c of c + A (τ + τ₀)^(−P), by an F test.

    c is tried from zero up to the least speed of a secant, so that this is the least speed where c is not resolved.
    Infinite with fewer than six secants. Arrays as in `secants`.
    """
    middle, speed, intervals = secants(tau, travelled)
    late = middle >= middle.max(initial=0) * 10**-decades
    middle, speed, n = middle[late], speed[late], int(late.sum())
    if n < FEWEST_SECANTS:
        return math.inf
    counts = np.minimum(intervals[late], FULL_WEIGHT)
    floors = speed.min() * np.append(np.linspace(0, 0.95, 20), 0.99)
    shifts = np.concatenate([-middle[0] * np.linspace(0.9, 0, 10), tau.max() * np.geomspace(1e-3, LARGEST_SHIFT, 60)])
    abscissa = np.log(middle + shifts[:, None])
    least, residuals = [], []
    for floor in floors:
        weight = counts * (1 - floor / speed) ** 2  # an error of ln(speed − c) is one of ln(speed) over 1 − c/speed
        off = _straight(abscissa, np.log(speed - floor), weight) * np.sqrt(weight * n / counts.sum())
        squares = (off**2).sum(1)
        least.append(squares.min())
        residuals.append(off[squares.argmin()])
    best = int(np.argmin(least))
    spread, _ = variance(residuals[best], max(n - 4, 1))
    return float(floors[np.array(least) <= least[best] + spread * fisher(max(n - 4, 1))].max())


def _straight(x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Residuals (m, k) of weighted least-squares lines through y (k,) against each row of x (m, k)."""
    x, y = x - np.average(x, axis=1, weights=weight)[:, None], y - np.average(y, weights=weight)
    return y - (x @ (weight * y) / (x**2 @ weight))[:, None] * x


def fall(tau: np.ndarray, values: np.ndarray, decades: float) -> tuple[float, float] | None:
    """Interval of the slope −d ln(values)/d ln τ over the last `decades` of τ; None with fewer than four points.

    tau, values: (k,), those above zero are used. Correlated neighbouring residuals widen it (`variance`).
    """
    known = (tau > 0) & (values > 0) & (tau >= tau.max(initial=0) * 10**-decades)
    x, y = np.log(tau[known]), np.log(values[known])
    if len(x) < 4 or np.ptp(x) == 0:
        return None
    x = x - x.mean()
    slope = -float(x @ y) / float(x @ x)
    spread, _ = variance(y - y.mean() + slope * x, len(x) - 2)
    width = student(len(x) - 2) * math.sqrt(spread / float(x @ x))
    return slope - width, slope + width


def _fit(middle: np.ndarray, logarithm: np.ndarray, intervals: np.ndarray, last: float) -> tuple[Decay, float]:
    """(1) fitted to ln(speed), and the correlation of neighbouring residuals."""
    n = len(middle)
    weight = np.minimum(intervals, FULL_WEIGHT) * (n / np.minimum(intervals, FULL_WEIGHT).sum())
    shifts = np.concatenate([-middle[0] * np.linspace(0.9, 0, 46), last * np.geomspace(1e-4, LARGEST_SHIFT, 600)])
    abscissa = np.log(middle + shifts[:, None])
    centre, level = (weight * abscissa).mean(1), float((weight * logarithm).mean())
    x = abscissa - centre[:, None]
    scale = (weight * x**2).sum(1)
    exponent = -(x @ (weight * logarithm)) / scale
    residuals = np.sqrt(weight) * (logarithm - level + exponent[:, None] * x)
    squares = (residuals**2).sum(1)
    best = int(squares.argmin())
    spread, correlation = variance(residuals[best], n - 3)
    kept = squares <= squares[best] + spread * fisher(n - 3)
    width = student(n - 3) * np.sqrt(spread / scale)
    low, high = exponent - width, exponent + width
    end = np.exp(level - low * (np.log(last + shifts) - centre))
    with np.errstate(divide="ignore", invalid="ignore"):
        remaining = np.where(low > 1, end * (last + shifts) / np.maximum(low - 1, 0), math.inf)
    fit = Decay(
        float(exponent[best]),
        float(low[kept].min()),
        float(high[kept].max()),
        *_slope(middle[-LAST_SECANTS:], logarithm[-LAST_SECANTS:], weight[-LAST_SECANTS:]),
        bool(shifts[kept].max() <= SETTLED_SHIFT * last),
        _slope_ahead(middle, logarithm, weight, last),
        float(remaining[kept].max()),
        n,
    )
    return fit, correlation


def _slope(middle: np.ndarray, logarithm: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Interval of the slope −d ln(speed)/d ln τ of a straight line."""
    weight = weight / weight.mean()
    x = np.log(middle)
    x = x - (weight * x).mean()
    scale = (weight * x**2).sum()
    slope = -float((weight * x * logarithm).sum() / scale)
    residuals = logarithm - (weight * logarithm).mean() + slope * x
    spread = max(float((weight * residuals**2).sum()) / (len(x) - 2), RESOLUTION**2)
    width = student(len(x) - 2) * math.sqrt(spread / scale)
    return slope - width, slope + width


def _slope_ahead(middle: np.ndarray, logarithm: np.ndarray, weight: np.ndarray, last: float) -> float:
    """Upper end of the interval for the slope at EXTRAPOLATION times the last τ, from a parabola in ln τ."""
    x = np.log(middle / last)
    design = np.stack([np.ones_like(x), -x, -(x**2) / 2], 1)  # slope + bend · x
    normal = np.linalg.inv((design.T * weight) @ design)
    coefficients = normal @ (design.T @ (weight * logarithm))
    residuals = np.sqrt(weight) * (logarithm - design @ coefficients)
    spread, _ = variance(residuals, len(x) - 3)
    at = np.array([0.0, 1.0, math.log(EXTRAPOLATION)])
    return float(at @ coefficients + student(len(x) - 3) * math.sqrt(spread * (at @ normal @ at)))


def variance(residuals: np.ndarray, free: int) -> tuple[float, float]:
    """Variance of a fit's residuals (k,), at least RESOLUTION² and widened where neighbours correlate; the correlation.

    free: degrees of freedom. The correlation is taken from 0 to LARGEST_CORRELATION.
    """
    total = float((residuals**2).sum())
    correlation = float((residuals[1:] * residuals[:-1]).sum()) / total if total > 0 else 0.0
    correlation = min(max(correlation, 0.0), LARGEST_CORRELATION)
    return max(total / free, RESOLUTION**2) * (1 + correlation) / (1 - correlation), correlation
