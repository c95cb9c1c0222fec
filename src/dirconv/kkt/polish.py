r"""From a direction to a KKT point of the hard-margin problem, on smooth maps: Newton's method in a trust region.

Each step starts from a unit vector θ with γ = min p(θ) and rescales the problem, min ½‖W‖² subject to p_i(W) ≥ γ, so
that its solutions have about unit norm. The problem linearised at θ (`dirconv.kkt`, `slack=None`) gives multipliers
μ ≥ 0 and the active margins A, those with μ_i > 0. The step d is Newton's for KKT points with these margins equal,

    (H + ρ I) d − J_Aᵀ dμ = −(θ − J_Aᵀ μ),      J_A d = γ − p_A,      H = I − Σ μ_i ∇²p_i(θ),                    (1)

in parts: J_Aᵀ (J_A J_Aᵀ)⁻¹ (γ − p_A); conjugate gradients on the null space of J_A, ended at the trust region's
boundary and where the curvature is not positive (Byrd & Omojokun's method, Steihaug's ending); and second-order
corrections like the first part, of the difference between the margins there and those foreseen. Margins that fall below
γ there are made active too, and the step is solved again.

A step is accepted if the normalized margin min p(θ) has grown, as Newton's for a minimum must make it, or if the
residual has halved, which is what can be seen when the margin has no digits left. Otherwise the region is halved and
the way to the linearised problem's solution is tried, along which the margin grows to first order. So from far away
the method climbs to *a* KKT point of larger margin; only where the distance is small does it stand for the flow's own
limit.

KKT points of deep networks come in manifolds (of balanced factorisations, of neurons that share a direction), along
which H vanishes. ρ, equal to the residual, keeps eigenvalues that are not yet zero from making steps too long (as in
Levenberg–Marquardt), and vanishes fast enough to leave the convergence quadratic. By Euler's identity H θ = (2 − L) θ
at a KKT point, so H is not positive; but J_A θ = L p_A, and θ has no part in the null space of J_A.

H is never formed: one pass forward makes J_Aᵀμ as a function of W, and one backward through it gives (Σ μ ∇²p) v. J_A
is an operator on the factors of its rows (`dirconv.margins.jacobian`).

Source: Nocedal & Wright, Numerical Optimization (2006), algorithms 7.2 and 18.4.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor

from dirconv.geometry import angle, directions
from dirconv.kkt import Certificate, certificate
from dirconv.margins import MarginMap
from dirconv.margins.function import FunctionMap

NUMERICS = 1
GOES_THROUGH = ("function_map", "geometry", "jacobian", "kkt")
TOLERANCE = 1e-10
NEWTON_STEPS = 100
ITERATIONS = 300  # of conjugate gradients, in a step
RADIUS = 0.1  # of the trust region at first, radians
SMALLEST_RADIUS = 1e-9
NEAR = 1e-3  # residual above which the margin has to grow: one that only halves may be on the way to a saddle
ROUNDS = 3  # of taking up margins, in a step
CORRECTIONS = 3  # of second order, in a step
RIDGE = 1e-12  # added to J Jᵀ relative to its mean diagonal entry, for examples that are there twice


@dataclasses.dataclass(frozen=True, repr=False)
class Polished:
    """Where Newton's method came to from θ."""

    theta: Tensor  # a unit vector (D,), float64
    certificate: Certificate  # with the multipliers of the problem linearised there
    residuals: list[float]  # at the start and after each step: the larger of ε/‖θ̃‖ and L δ/‖θ̃‖²
    distance: float  # angle between it and the θ that was given, radians
    converged: bool  # whether the last residual is within the tolerance

    def __repr__(self) -> str:
        how = "converged" if self.converged else "not converged"
        numbers = f"residual {self.residuals[-1]:.2g} after {len(self.residuals) - 1} steps, {self.distance:.3g} rad"
        return f"<{how}: {numbers} from the start; {self.certificate!r}>"


def polish(
    margin_map: MarginMap, theta: Tensor, *, tolerance: float = TOLERANCE, steps: int = NEWTON_STEPS
) -> Polished:
    """A KKT point near the unit vector θ (D,), by steps (1), in float64.

    tolerance: of the residual, see `Polished`. steps: at most so many.

    Where no step is accepted any more, as at the kinks of a map that is not smooth, or after the last step, the point
    that was reached is returned as not converged. ValueError as in `dirconv.kkt.certificate`.
    """
    exact = margin_map.precise()
    here, radius = _Iterate.at(exact, theta), RADIUS
    residuals = [here.residual]
    while here.residual > tolerance and len(residuals) <= steps and radius > SMALLEST_RADIUS:
        step = here.newton(radius)
        better = here.accepted(step)
        if better is None:
            radius = 0.5 * min(radius, float(step.norm()))
            better = here.accepted(here.linearised(radius))
        elif float(step.norm()) > 0.8 * radius:
            radius = min(2 * radius, 1.0)
        if better is not None:
            here = better
            residuals.append(here.residual)
    return Polished(here.theta, here.certificate, residuals, angle(here.theta, theta), here.residual <= tolerance)


@dataclasses.dataclass(frozen=True)
class _Iterate:
    """A unit vector θ with the multipliers of the problem linearised there."""

    map: MarginMap
    theta: Tensor  # (D,)
    certificate: Certificate
    residual: float

    @classmethod
    def at(cls, margin_map: MarginMap, theta: Tensor) -> _Iterate:
        found = certificate(margin_map, theta, slack=None)
        square = found.margin ** (-2 / margin_map.degree)  # ‖θ̃‖²
        residual = max(found.epsilon_relative, margin_map.degree * found.delta / square)
        return cls(margin_map, theta, found, residual)

    @property
    def mu(self) -> Tensor:
        """The multipliers at unit norm, (n (K−1),)."""
        degree, gamma = self.map.degree, self.certificate.margin
        return self.certificate.multipliers.flatten() / gamma ** ((degree - 2) / degree)

    def linearised(self, radius: float) -> Tensor:
        """The way to the linearised problem's solution J_Aᵀμ, at most `radius` long."""
        margins, pullback = self.map.linearize(self.theta)
        way = pullback(self.mu.view(margins.shape)) - self.theta
        return way * min(1.0, radius / float(way.norm()))

    def accepted(self, step: Tensor) -> _Iterate | None:
        """The point that the step leads to, or None if that is no better."""
        theta = directions(self.theta + step)
        margin = float(self.map.values(theta).min())
        grown = margin > self.certificate.margin
        if not grown and not (margin > 0 and self.residual < NEAR):
            return None
        end = _Iterate.at(self.map, theta)
        return end if grown or end.residual < 0.5 * self.residual else None

    def newton(self, radius: float) -> Tensor:
        """d of (1), at most 1.5 `radius` long; margins that it breaks are taken up."""
        active = self.mu > 0
        for _ in range(ROUNDS):
            step = self._step(active.nonzero().flatten(), radius)
            p = self.map.values(self.theta + step).flatten()
            broken = (p < self.certificate.margin) & ~active
            if not bool(broken.any()):
                break
            active = active | broken
        return step

    def _step(self, active: Tensor, radius: float) -> Tensor:
        width = self.certificate.multipliers.shape[1]
        examples, place = torch.unique(active // width, return_inverse=True)
        chosen = place * width + active % width  # of A, among the margins of `examples`
        rows = self.map.jacobian(self.theta, examples)[1].rows(chosen)  # J_A
        gram = rows.gram()
        gram.diagonal().add_(RIDGE * gram.diagonal().mean())
        factor = torch.linalg.cholesky(gram)
        lagrangian = _Lagrangian(self.map, examples, chosen, self.theta, self.mu[active])
        shift, gamma = min(1.0, self.residual), self.certificate.margin

        def normal(values: Tensor) -> Tensor:
            return rows.pullback(torch.cholesky_solve(values[:, None], factor)[:, 0])

        def product(v: Tensor) -> Tensor:
            return (1 + shift) * v - lagrangian.second(v)

        def project(v: Tensor) -> Tensor:
            return v - normal(rows.push(v))

        d = normal(gamma - lagrangian.margins)
        part = min(1.0, 0.8 * radius / max(float(d.norm()), 1e-300))
        d = part * d
        slope = project(self.theta - lagrangian.gradient + product(d))
        room = (radius**2 - float(d @ d)) ** 0.5
        d = d + _conjugate_gradients(product, project, slope, room, rtol=0.1 * min(0.1, self.residual))
        foreseen = lagrangian.margins + part * (gamma - lagrangian.margins)
        left = 0.5 * radius
        for _ in range(CORRECTIONS):
            correction = normal(foreseen - self.map.values(self.theta + d, examples).flatten()[chosen])
            length = float(correction.norm())
            d = d + correction * min(1.0, left / max(length, 1e-300))
            left -= length
            if left <= 0:
                break
        return d


def _conjugate_gradients(
    product: Callable[[Tensor], Tensor], project: Callable[[Tensor], Tensor], slope: Tensor, radius: float, rtol: float
) -> Tensor:
    """d of least ½ dᵀH d + slopeᵀd in the projection's image, ‖d‖ ≤ radius: Steihaug's conjugate gradients."""
    d, r, p = torch.zeros_like(slope), slope, -slope
    square = first = float(r @ r)
    for _ in range(ITERATIONS):
        if square <= rtol**2 * first or square == 0:
            break
        hp = product(p)
        curvature, length = float(p @ hp), float(p @ p)
        if curvature > 0 and float((d + square / curvature * p).norm()) < radius:
            d = d + square / curvature * p
            r = project(r + square / curvature * hp)
            before, square = square, float(r @ r)
            p = square / before * p - r
            continue
        inner = float(d @ p)  # to the boundary
        return d + ((inner**2 + length * (radius**2 - float(d @ d))) ** 0.5 - inner) / length * p
    return d


class _Lagrangian:
    """First and second derivatives of μᵀp_A at one point, by passes through the map."""

    def __init__(self, margin_map: MarginMap, examples: Tensor, chosen: Tensor, weights: Tensor, mu: Tensor) -> None:
        self._weights = weights.clone().requires_grad_()
        margins = _differentiable(margin_map, examples)(self._weights).flatten()[chosen]
        gradient = torch.autograd.grad(margins, self._weights, mu, create_graph=True)[0]
        self._gradient = gradient + 0 * self._weights  # a function of W also where p is linear
        self.margins = margins.detach()  # p_A
        self.gradient = self._gradient.detach()  # J_Aᵀ μ

    def second(self, v: Tensor) -> Tensor:
        """(Σ μ_i ∇²p_i) v, (D,), by one pass backward through the gradient."""
        return torch.autograd.grad(self._gradient, self._weights, v, retain_graph=True)[0]


def _differentiable(margin_map: MarginMap, examples: Tensor) -> Callable[[Tensor], Tensor]:
    """W ↦ the margins of `examples`, in one pass that autograd can differentiate twice."""
    if isinstance(margin_map, FunctionMap):
        return lambda weights: margin_map.margins(weights, examples)
    images, labels = margin_map.images[examples], margin_map.labels[examples]
    return lambda weights: margin_map.margins(weights, images, labels)
