r"""Cuts: values and gradients of margins at several points near the end of a step, and the model that they make.

A cut j of margin i, taken at a unit vector y_j, is the tangent c_j + ⟨g_j, x − b⟩, g_j = (I − y_j y_jᵀ) ∇p_i(y_j) being
the gradient of x ↦ p_i(x/‖x‖) there, and c_j its value at the base point b. A margin with several cuts is modelled by
the smallest,

    p_i(x) ≈ min over the cuts j of i of  c_j + ⟨g_j, x − b⟩,

which is right where p_i is smooth or has a concave kink. Where a cut lies below the true margin (a convex kink,
positive curvature) it is lifted to it: then it is no tangent any more, only a slope.

Maps without a degree have no sphere: there g_j = ∇p_i(y_j). Source: docs/flow.md, section 9b.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dirconv.margins.jacobian import Jacobian

NUMERICS = 2
GOES_THROUGH = ("jacobian",)


class Cuts:
    """m cuts, those of one step. `degree` is the map's; `base` is b, (D,). exact: whether products of rows are."""

    def __init__(self, base: Tensor, degree: int | None, exact: bool = True) -> None:
        self.base, self._degree, self._exact = base, degree, exact
        self.owners = torch.zeros(0, dtype=torch.int64, device=base.device)  # (m,): the margin of each
        self.values = torch.zeros(0, dtype=torch.float64, device=base.device)  # c, (m,)
        self.gram = torch.zeros(0, 0, dtype=torch.float64, device=base.device)  # K = (⟨g_j, g_k⟩), (m, m)
        self._rows: list[Jacobian] = []  # of each point
        self._points: list[Tensor] = []
        self._radial: list[Tensor] = []  # ⟨∇p, y⟩ = L p of each point's rows

    def __len__(self) -> int:
        return len(self.owners)

    def add(self, point: Tensor, margins: Tensor, rows: Jacobian, owners: Tensor) -> None:
        """Cuts of the margins `owners` (k,), of values `margins` (k,), with their rows at `point` (D,)."""
        sphere = self._degree is not None
        radial = self._degree * margins if sphere else torch.zeros_like(margins)
        # along the sphere only, so that what float32 rounds off is a share of the short way and not of the margin
        at_base = rows.push(self.base - (point @ self.base) * point if sphere else self.base - point)
        blocks = []
        for other, there, other_radial in zip(self._rows, self._points, self._radial, strict=True):
            block = rows.cross(other, self._exact)
            if sphere:
                block -= torch.outer(radial, other.push(point)) + torch.outer(rows.push(there), other_radial)
                block += torch.outer(radial, other_radial) * (point @ there)
            blocks.append(block)
        own = rows.gram(self._exact) - torch.outer(radial, radial)
        own = (own + own.T) / 2  # rounding of products in float32 need not be symmetric
        across = torch.cat(blocks, 1) if blocks else self.gram.new_zeros(len(owners), 0)
        self.gram = torch.cat([torch.cat([self.gram, across.T], 1), torch.cat([across, own], 1)])
        self._rows.append(rows)
        self._points.append(point)
        self._radial.append(radial)
        self.owners = torch.cat([self.owners, owners])
        self.values = torch.cat([self.values, margins + at_base])

    def keep(self, which: Tensor) -> None:
        """Drop the cuts that the mask `which` (m,) leaves out."""
        self.owners, self.values, self.gram = self.owners[which], self.values[which], self.gram[which][:, which]
        kept, first = [], 0
        for rows, point, radial in zip(self._rows, self._points, self._radial, strict=True):
            part = which[first : first + len(rows)]
            first += len(rows)
            if bool(part.any()):
                kept.append((rows.rows(part), point, radial[part]))
        self._rows, self._points, self._radial = (list(column) for column in zip(*kept, strict=True))

    def model(self, q: Tensor, reach: float) -> Tensor:
        """The cuts' values at b + `reach` Σ q g, (m,)."""
        return self.values + reach * (self.gram @ q)

    def lowest(self, model: Tensor, count: int) -> Tensor:
        """The modelled margins, (count,), from the cuts' values `model` (m,); ∞ for those without a cut."""
        return model.new_full((count,), torch.inf).scatter_reduce(0, self.owners, model, "amin")

    def correct(self, model: Tensor, margins: Tensor, cut_again: Tensor) -> Tensor:
        """Make the model agree with the true margins at a point where the cuts have the values `model` (m,).

        Returns what was added to the cuts' values, (m,).

        margins: of all, flat, at that point. cut_again: a mask of those that get a cut there, so that of their other
        cuts only those below are lifted; all cuts of the others move until the lowest is at the margin.
        """
        lowest = self.lowest(model, len(margins))
        lift = (margins[self.owners] - model).clamp(min=0)
        shift = (margins - lowest)[self.owners]
        change = torch.where(cut_again[self.owners], lift, shift)
        self.values = self.values + change
        return change

    def shares(self, q: Tensor, count: int) -> Tensor:
        """Q (count,), each margin's share: the sum of q over its cuts."""
        return q.new_zeros(count).index_add(0, self.owners, q)

    def moved(self, q: Tensor, again: Tensor) -> float:
        """‖Σ (q′ − q) g‖, q (m′,) of all cuts but the newest ones: q′ has the shares of margins `again` on those."""
        q = torch.cat([q, q.new_zeros(len(self) - len(q))])
        newest = torch.zeros_like(q, dtype=torch.bool)
        newest[len(q) - int(again.sum()) :] = True
        shares = self.shares(q, len(again))
        changed = torch.where(newest, shares[self.owners], torch.where(again[self.owners], 0.0, q))
        d = changed - q
        return math.sqrt(max(float(d @ self.gram @ d), 0.0))

    def velocity(self, q: Tensor) -> Tensor:
        """Σ q_j g_j, (D,), for q (m,)."""
        total, first = torch.zeros_like(self.base), 0
        for rows, point, radial in zip(self._rows, self._points, self._radial, strict=True):
            part = q[first : first + len(rows)]
            total += rows.pullback(part)
            if self._degree is not None:
                total -= (part @ radial) * point
            first += len(rows)
        return total
