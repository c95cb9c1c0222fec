r"""The KKT certificate of a direction that lies on, or near, kinks: with gradients from all their sides.

A flow of a network of ReLUs ends on kinks, up to the error of its steps. The gradients at the point itself are those of
one side, and no multipliers bring them near θ. So gradients are gathered around it as Goldstein's method does. With the
best multipliers μ for the cuts at hand (`dirconv.kkt`), v = Σ μ g has ⟨g_j, v⟩ = ⟨g_j, θ⟩ for all cuts with μ_j > 0:
towards v, along the sphere, they all rise. A cut of each margin near the smallest is added where that way leaves the
ball of radius r,

    y = (θ + r d)/‖θ + r d‖,      d = (I − θθᵀ) v/‖(I − θθᵀ) v‖,                                                 (1)

and μ is sought again among the cuts that had a multiplier and the new ones, until ε does not fall any more. What is
left is about the least that gradients within r allow: along d the smallest margin does rise.

The gradients are then those at points within r of θ, that is within r ‖θ̃‖ of θ̃, and not at θ̃. Dutta et al. define a
*modified* ε-KKT point by gradients within √ε of θ̃, so that a certificate is one by their definition for
max(ε, r² ‖θ̃‖²) in place of ε; Theorem 3.6 there has the same limits for both. `Certificate.radius` is r, and 0 where
the gradients are those at θ itself.

*A smooth map pays nothing.* Where the gradient v = Σ μ ∇p of the first multipliers changes along (1) in proportion to
the way, ‖(v(r) − v(0)) − 2 (v(r/2) − v(0))‖ ≤ `BENT` ‖v(r) − v(0)‖, there is no kink to be resolved within r, and the
certificate is the one with the gradients at θ. Where a kink lies on the way, or several do, the left is as large as
the right without its factor.

Rows are in the network's precision, products of them in float64: ε is right to the network's rounding.

Source: Goldstein, Optimization of Lipschitz continuous functions, Math. Program. 13 (1977); Dutta, Deb, Tulshyan &
Arora, J. Global Optim. 56 (2013), Definition 3.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dirconv import kkt
from dirconv.geometry import directions
from dirconv.kkt import SLACK, Certificate
from dirconv.margins import MarginMap

if TYPE_CHECKING:
    from dirconv.margins.jacobian import Jacobian

NUMERICS = 1
GOES_THROUGH = ("geometry", "kkt")
RADIUS = 3e-3  # r, radians: what steps of a flow at the customary tolerance leave between a point and its kinks
BENT = 0.1
ROUNDS = 12
FALL = 0.02  # of ε, relative, below which a round was the last


class ResolvedCuts:
    """Gradients of margins at unit vectors near θ, several a margin. See `dirconv.kkt.Cuts`."""

    def __init__(self, margin_map: MarginMap, theta: Tensor) -> None:
        self._map, self._theta = margin_map, theta
        self._rows: list[Jacobian] = []  # of each point
        self._gram = theta.new_zeros(0, 0)
        self.owners = torch.zeros(0, dtype=torch.int64, device=theta.device)
        self.inner = theta.new_zeros(0)

    def add(self, point: Tensor, which: Tensor) -> None:
        """The gradients at `point` (D,), a unit vector, of the margins that the mask `which` (n, K−1) chooses."""
        examples = which.any(1).nonzero().flatten()
        rows = self._map.jacobian(point, examples)[1].rows(which[examples].flatten())
        across = torch.cat([rows.cross(other) for other in self._rows], 1) if self._rows else self._gram.T
        across = across.reshape(len(rows), len(self._gram))
        self._gram = torch.cat([torch.cat([self._gram, across.T], 1), torch.cat([across, rows.gram()], 1)])
        self._rows.append(rows)
        self.owners = torch.cat([self.owners, which.flatten().nonzero().flatten()])
        self.inner = torch.cat([self.inner, rows.push(self._theta)])

    def keep(self, which: Tensor) -> None:
        """Drop the cuts that the mask `which` (m,) leaves out."""
        parts = which.split([len(rows) for rows in self._rows])
        self._rows = [rows.rows(part) for rows, part in zip(self._rows, parts, strict=True) if bool(part.any())]
        self._gram, self.owners, self.inner = self._gram[which][:, which], self.owners[which], self.inner[which]

    def gram(self) -> Tensor:
        return self._gram

    def pullback(self, q: Tensor) -> Tensor:
        parts = q.split([len(rows) for rows in self._rows])
        return sum(rows.pullback(part) for rows, part in zip(self._rows, parts, strict=True))


def certificate(margin_map: MarginMap, theta: Tensor, *, slack: float = SLACK, radius: float = RADIUS) -> Certificate:
    """The certificate of a unit vector θ (D,), with gradients within `radius` r of it where there are kinks.

    slack: as in `dirconv.kkt.certify`. radius: r in radians; (1) has the equations.

    ValueError as in `dirconv.kkt.certificate`.
    """
    found = kkt.certificate(margin_map, theta, slack=slack)
    if _smooth(margin_map.precise(), theta, found, radius):
        return found
    return resolve(margin_map, theta, slack=slack, radius=radius)[0]


def resolve(
    margin_map: MarginMap, theta: Tensor, *, slack: float = SLACK, radius: float = RADIUS
) -> tuple[Certificate, ResolvedCuts]:
    """The same, resolved in any case, and the cuts that its `of_cuts` are the multipliers of."""
    margins = margin_map.precise().values(theta)
    near = kkt.tied(margins, margin_map.degree, slack)
    cuts = ResolvedCuts(margin_map, theta)
    cuts.add(theta, near)
    found = kkt.certify(cuts, theta, margins, margin_map.degree, slack=slack)
    for _ in range(ROUNDS):
        v = cuts.pullback(_at_unit_norm(found, found.of_cuts, margin_map.degree))
        point = _towards(v, theta, radius, margin_map.unit)
        if point is None:
            break
        cuts.keep(found.of_cuts > 0)
        cuts.add(point, near)
        before, found = found, kkt.certify(cuts, theta, margins, margin_map.degree, slack=slack)
        if found.epsilon > (1 - FALL) * before.epsilon:
            break
    return dataclasses.replace(found, radius=radius), cuts


def _at_unit_norm(found: Certificate, multipliers: Tensor, degree: int) -> Tensor:
    """μ = λ γ^((2−L)/L), (2) of `dirconv.kkt`."""
    return multipliers * found.margin ** ((2 - degree) / degree)


def _smooth(exact: MarginMap, theta: Tensor, found: Certificate, radius: float) -> bool:
    """Whether Σ μ ∇p, μ of `found`, changes in proportion to the way along (1)."""
    mu = _at_unit_norm(found, found.multipliers, exact.degree)[found.support]

    def combination(x: Tensor) -> Tensor:
        return exact.rows(x, found.support).pullback(mu)

    here = combination(theta)
    points = [_towards(here, theta, share * radius, exact.unit) for share in (0.5, 1.0)]
    if points[0] is None:
        return True
    half, whole = (combination(point) - here for point in points)
    return float((whole - 2 * half).norm()) <= BENT * (float(whole.norm()) + exact.unit**0.5)


def _towards(v: Tensor, theta: Tensor, radius: float, unit: float) -> Tensor | None:
    """y of (1), a unit vector; None where v is along θ but for rounding errors of roundoff `unit`."""
    across = v - (v @ theta) * theta
    length = float(across.norm())
    return directions(theta + radius / length * across) if length > unit * float(v.norm()) else None
