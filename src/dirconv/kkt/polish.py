r"""From a direction to a KKT point of the hard-margin problem, on smooth maps: Newton's method in a trust region.

Each step starts from a unit vector θ with γ = min p(θ) and rescales the problem, min ½‖W‖² subject to p_i(W) ≥ γ, so
that its solutions have about unit norm. The problem linearised at θ (`dirconv.kkt`, `slack=None`) gives multipliers
μ ≥ 0 and the active margins A, those with μ_i > 0. The step d is Newton's for KKT points with these margins equal,

    (H + ρ I) d − J_Aᵀ dμ = −(θ − J_Aᵀ μ),      J_A d = γ − p_A,      H = I − Σ μ_i ∇²p_i(θ),                    (1)

in three parts (Byrd & Omojokun's method):

* n = J_Aᵀ (J_A J_Aᵀ)⁻¹ (γ − p_A), shortened to a share of the trust region;
* t in the null space of J_A, the least of the quadratic model in what the region leaves, also where its curvature is
  negative (`dirconv.kkt.trust_region`);
* corrections of second order w, which bring margins back to where they should be. With y = θ + n + t + w so far and
  the rows J of all margins near the smallest, not of A alone, the next is
  min ½‖w‖² + ⟨Jᵀμ, w⟩ subject to p_i(y) + ⟨J_i, w⟩ ≥ γ: a problem of least distance for w + Jᵀμ. So margins that the
  step breaks join, and those whose multiplier would be negative leave.

What a step is judged by is f = ½‖W‖² for the multiple of its end with min p(W) = γ, that is by the normalized margin,
against −(⟨θ, d⟩ + ½ dᵀHd), d = n + t, what (1) foresees; the region shrinks and grows by their ratio. Smaller regions
use the basis that is there. Where f has no digits left, a step is taken that halves the residual. So from far away the
method climbs to *a* KKT point of larger margin; only where the distance is small does it stand for the flow's own
limit. A KKT point at which Lanczos' method finds negative curvature in the null space is a saddle: it is left that way.

KKT points of deep networks come in manifolds (of balanced factorisations, of neurons that share a direction), along
which H vanishes. ρ, equal to the residual, keeps eigenvalues that are not yet zero from making steps too long (as in
Levenberg–Marquardt), and vanishes fast enough to leave the convergence quadratic. By Euler's identity H θ = (2 − L) θ
at a KKT point, so H is not positive; but J_A θ = L p_A, and θ has no part in the null space of J_A.

Products with H are in the network's own precision (`dirconv.kkt.lagrangian`), since H decides only how fast steps
converge; margins, J and residuals are in float64. Memory: that of the Lagrangian, and at most `MEMORY` numbers for the
basis of t.

Source: Nocedal & Wright, Numerical Optimization (2006), sections 18.2 to 18.5 (algorithm 18.4); Conn, Gould & Toint,
Trust-Region Methods (2000), sections 15.4 and 15.3.2.3 for corrections of second order.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable

import torch
from torch import Tensor

from dirconv import kkt
from dirconv.geometry import angle, directions
from dirconv.kkt import Certificate
from dirconv.kkt.lagrangian import Lagrangian, NearCuts
from dirconv.kkt.trust_region import Krylov
from dirconv.margins import MarginMap

NUMERICS = 1
GOES_THROUGH = ("geometry", "kkt", "lagrangian", "trust_region")
TOLERANCE = 1e-10
NEWTON_STEPS = 300
RADIUS = 0.1  # of the trust region at first, radians
LARGEST_RADIUS = 1.0
SMALLEST_RADIUS = 1e-9
NEAR = 1e-3  # residual above which the margin has to grow: one that only halves may be on the way to a saddle
PATIENCE = 20  # steps that together are shorter than
STALLED = 1e-3  # radians, and halve no residual, are the last ones
SLACK = 0.1  # margins up to (1 + slack) γ take part in a step
VECTORS = 300  # of Lanczos' basis, at most
MEMORY = 2**27  # and numbers in it, 1 GiB
SOLVED = 0.1  # residual of t, relative
CORRECTIONS = 6  # evaluations of the margins in a step, a correction of second order after each but the last
CORRECTED = 0.05  # share of the foreseen gain that margins may be off by when corrections end
POOR, GOOD = 0.25, 0.75  # ratios of the gain to the foreseen one below and above which the region shrinks and grows
ROUNDING = 1e-14  # of f, and of the slope
EMPTY = 1e-10  # share of a random vector that is in the null space only by rounding
SADDLE = 1e-4  # negative curvature of H, whose largest eigenvalue is about one, that is left
LOOK = 40  # vectors of the basis by which it is looked for at a KKT point


@dataclasses.dataclass(frozen=True, repr=False)
class Polished:
    """Where Newton's method came to from θ."""

    theta: Tensor  # a unit vector (D,), float64
    certificate: Certificate  # with the multipliers of the problem linearised there
    residuals: list[float]  # at the start and after each step: the larger of ε/‖θ̃‖ and L δ/‖θ̃‖²
    distance: float  # angle between it and the θ that was given, radians
    converged: bool  # whether the last residual is within the tolerance
    curvature: float  # the least of H in the null space that Lanczos' method found; ∞ where it was not looked for

    def __repr__(self) -> str:
        how = "converged" if self.converged else "not converged"
        numbers = f"residual {self.residuals[-1]:.2g} after {len(self.residuals) - 1} steps, {self.distance:.3g} rad"
        curvature = f", curvature {self.curvature:.2g}" if math.isfinite(self.curvature) else ""
        return f"<{how}: {numbers} from the start{curvature}; {self.certificate!r}>"


def polish(
    margin_map: MarginMap,
    theta: Tensor,
    *,
    tolerance: float = TOLERANCE,
    steps: int = NEWTON_STEPS,
    watch: Callable[[Tensor, float, float], bool] = lambda theta, residual, margin: False,
) -> Polished:
    """A KKT point near the unit vector θ (D,), by steps (1), in float64.

    tolerance: of the residual, see `Polished`. steps: at most so many. watch: called with θ, its residual and γ at the
    start and after each step; true ends the search.

    Where no step is accepted any more, or steps come no further, as at the kinks of a map that is not smooth, or after
    the last step, the point that was reached is returned as not converged. ValueError as in `dirconv.kkt.certificate`.
    """
    here, radius = _Point.at(margin_map, margin_map.precise(), theta), RADIUS
    residuals, lengths, curvature = [here.residual], [], math.inf
    while not watch(here.theta, here.residual, here.certificate.margin) and len(residuals) <= steps:
        if here.residual <= tolerance:
            curvature, better = here.beyond_saddle()
            radius = RADIUS
        else:
            curvature, (better, radius) = math.inf, here.step(radius)
        if better is None or _stalled(residuals, lengths):
            break
        residuals.append(better.residual)
        lengths.append(angle(better.theta, here.theta))
        here = better
    converged = here.residual <= tolerance
    return Polished(here.theta, here.certificate, residuals, angle(here.theta, theta), converged, curvature)


def _stalled(residuals: list[float], lengths: list[float]) -> bool:
    """Whether the last steps came neither far nor nearer to a KKT point."""
    if len(lengths) <= PATIENCE:
        return False
    return sum(lengths[-PATIENCE:]) < STALLED and min(residuals[-PATIENCE:]) > 0.5 * min(residuals[:-PATIENCE])


@dataclasses.dataclass(frozen=True)
class _Point:
    """A unit vector θ with the multipliers of the problem linearised there, and the step from it."""

    map: MarginMap
    exact: MarginMap
    theta: Tensor  # (D,)
    margins: Tensor  # p(θ), (n (K−1),)
    cuts: NearCuts
    certificate: Certificate
    residual: float

    @classmethod
    def at(cls, margin_map: MarginMap, exact: MarginMap, theta: Tensor) -> _Point:
        margins, degree = exact.values(theta), exact.degree
        cuts = NearCuts(exact, theta, margins, SLACK)
        found = kkt.certify(cuts, theta, margins, degree, slack=None)
        square = found.margin ** (-2 / degree)  # ‖θ̃‖²
        residual = max(found.epsilon_relative, degree * found.delta / square)
        return cls(margin_map, exact, theta, margins.flatten(), cuts, found, residual)

    def step(self, radius: float) -> tuple[_Point | None, float]:
        """The next point, None if there is none, and the radius for the step from it."""
        while radius > SMALLEST_RADIUS:
            d, foreseen, targets = self._newton(radius)
            end, gain = self._corrected(d, foreseen, targets)
            length = float(d.norm())
            ratio = gain / foreseen if foreseen > 0 else -math.inf
            better = self._accepted(end, gain > ROUNDING)
            if better is None:
                radius = 0.5 * min(length, radius)
                continue
            if ratio < POOR:
                radius = max(0.5 * length, 2 * SMALLEST_RADIUS)
            elif ratio > GOOD and length > 0.8 * radius:
                radius = min(2 * radius, LARGEST_RADIUS)
            return better, radius
        return None, radius

    def beyond_saddle(self) -> tuple[float, _Point | None]:
        """The least curvature found in the null space, ∞ if that is empty; a point of larger margin where negative."""
        random = torch.randn(len(self.theta), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        start = self._lagrangian.tangential(random.to(self.theta))
        if float(start.norm()) <= EMPTY * float(random.norm()):
            return math.inf, None
        curvature, way = Krylov(self._lagrangian.reduced, start, self._vectors).lowest(LOOK)
        radius = RADIUS if curvature < -SADDLE else 0.0
        while radius > SMALLEST_RADIUS**0.5:
            for d in (radius * way, -radius * way):
                end, gain = self._corrected(d, -0.5 * curvature * radius**2, self._targets(1.0))
                if gain > ROUNDING:
                    return curvature, _Point.at(self.map, self.exact, end)
            radius *= 0.25
        return curvature, None

    def _accepted(self, end: Tensor, gained: bool) -> _Point | None:
        if not gained and not (self.residual < NEAR and float(self.exact.values(end).min()) > 0):
            return None
        point = _Point.at(self.map, self.exact, end)
        return point if gained or point.residual < 0.5 * self.residual else None

    def _newton(self, radius: float) -> tuple[Tensor, float, Tensor]:
        """d = n + t, how much f is to fall by it, and where it is to bring the near margins, (m,)."""
        n, bent = self._normal
        part = min(1.0, 0.8 * radius / max(float(n.norm()), 1e-300))
        krylov = self._whole if part == 1 else self._krylov(part)
        n, bent = part * n, part * bent
        d, fall = n, -float(self.theta @ n) - 0.5 * float(n @ bent)
        if krylov is not None:
            t, model = krylov.solve(math.sqrt(radius**2 - float(n @ n)), self._accuracy)
            d, fall = n + t, fall - model + 0.5 * self._shift * float(t @ t)
        return d, fall, self._targets(part)

    def _targets(self, part: float) -> Tensor:
        gamma, p = self.certificate.margin, self.margins[self.cuts.owners]
        return torch.where(self._lagrangian.active, p + part * (gamma - p), gamma)

    def _corrected(self, d: Tensor, foreseen: float, targets: Tensor) -> tuple[Tensor, float]:
        """The best end (D,), a unit vector, of d with corrections, and by how much f has fallen there."""
        gamma, degree, gram = self.certificate.margin, self.exact.degree, self.cuts.gram()
        mu, active = self._lagrangian.mu, self._lagrangian.active
        best, most, room = self.theta, -math.inf, float(d.norm())
        for _ in range(CORRECTIONS):
            y = self.theta + d
            p = self.exact.values(y).flatten()
            least = float(p.min())
            fall = 0.5 - 0.5 * float(y @ y) * (gamma / least) ** (2 / degree) if least > 0 else -math.inf
            if fall > most:
                best, most = directions(y), fall
            lacking = targets - p[self.cuts.owners]
            off = float(torch.where(active, lacking.abs(), lacking).max()) / (degree * gamma)
            if off <= CORRECTED * foreseen or room <= 0:
                break
            w = self.cuts.pullback(kkt.least_distance(gram, lacking + gram @ mu) - mu)
            length = float(w.norm())
            if not math.isfinite(length):
                break
            d = d + w * min(1.0, room / max(length, 1e-300))
            room -= length
        return best, most

    # what belongs to the point whatever the radius

    @functools.cached_property
    def _lagrangian(self) -> Lagrangian:
        degree, gamma = self.exact.degree, self.certificate.margin
        mu = self.certificate.of_cuts / gamma ** ((degree - 2) / degree)
        return Lagrangian(self.map, self.theta, self.cuts, mu)

    @functools.cached_property
    def _normal(self) -> tuple[Tensor, Tensor]:
        """n and H n, (D,) both."""
        p = self.margins[self.cuts.owners][self._lagrangian.active]
        n = self._lagrangian.across(self.certificate.margin - p)
        return n, self._lagrangian.hessian(n)

    @functools.cached_property
    def _whole(self) -> Krylov | None:
        return self._krylov(1.0)

    def _krylov(self, part: float) -> Krylov | None:
        """The model in the null space after a part of n; None where it is flat."""
        lagrangian, shift = self._lagrangian, self._shift
        slope = lagrangian.tangential(lagrangian.gradient + part * self._normal[1])
        if float(slope.norm()) <= ROUNDING:
            return None
        # without `self`: a cycle would keep basis and graph until they are collected
        return Krylov(lambda v: lagrangian.reduced(v) + shift * v, slope, self._vectors)

    @property
    def _shift(self) -> float:
        """ρ."""
        return min(1.0, self.residual)

    @property
    def _accuracy(self) -> float:
        """Of t, relative: coarse far away, and such that convergence is quadratic where the margin need not grow."""
        return self.residual if self.residual < NEAR else min(SOLVED, math.sqrt(self.residual))

    @property
    def _vectors(self) -> int:
        return max(2, min(VECTORS, MEMORY // len(self.theta)))
