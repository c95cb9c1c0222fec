r"""The Lagrangian of the hard-margin problem at a unit vector θ, and the null space of its active margins.

With γ = min p(θ) and multipliers μ ≥ 0, for the problem min ½‖W‖² subject to p_i(W) ≥ γ,

    𝓛(W) = ½‖W‖² − Σ μ_i (p_i(W) − γ),      ∇𝓛 = θ − Jᵀμ,      H = I − Σ μ_i ∇²p_i(θ).

The active margins A are those with μ_i > 0, J_A their rows. H is never formed: one pass forward makes J_Aᵀμ as a
function of W, and one backward through it gives (Σ μ ∇²p) v. These passes are in the network's own precision; J and
the margins are in float64.

Memory: the rows of the margins near the smallest (`dirconv.margins.jacobian`), and the graph of those passes, some ten
times the activations of the active examples.

Source: Nocedal & Wright, Numerical Optimization (2006), sections 12.3 and 16.3.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from dirconv import kkt
from dirconv.margins import MarginMap
from dirconv.margins.function import FunctionMap
from dirconv.margins.jacobian import Jacobian

NUMERICS = 1
GOES_THROUGH = ("function_map", "jacobian", "kkt")
RIDGE = 1e-12  # added to J Jᵀ relative to its mean diagonal entry, for examples that are there twice


class NearCuts:
    """The rows of the margins at most (1 + slack) γ, one cut a margin, in float64. See `dirconv.kkt.Cuts`."""

    def __init__(self, exact: MarginMap, theta: Tensor, margins: Tensor, slack: float) -> None:
        """theta: a unit vector (D,). margins: p(θ), (n, K−1). ValueError as in `dirconv.kkt.tied`."""
        near = kkt.tied(margins, exact.degree, slack)
        self.examples = near.any(1).nonzero().flatten()
        self.places = near[self.examples].flatten().nonzero().flatten()  # of the cuts among the examples' margins
        self.rows: Jacobian = exact.jacobian(theta, self.examples)[1].rows(self.places)
        self.owners = near.flatten().nonzero().flatten()
        self.inner = exact.degree * margins.flatten()[self.owners]
        self.width = margins.shape[1]  # K − 1
        self._gram = self.rows.gram()

    def gram(self) -> Tensor:
        return self._gram

    def pullback(self, q: Tensor) -> Tensor:
        return self.rows.pullback(q)


class Lagrangian:
    """Of the multipliers `mu` (m,), one a cut, at least one of them above zero, at the unit vector θ (D,)."""

    def __init__(self, margin_map: MarginMap, theta: Tensor, cuts: NearCuts, mu: Tensor) -> None:
        self._map, self._theta, self._cuts, self.mu = margin_map, theta, cuts, mu
        self.active = mu > 0  # A, (m,)
        self.gradient = theta - cuts.pullback(mu)  # θ − Jᵀμ, (D,)

    def hessian(self, v: Tensor) -> Tensor:
        """H v, (D,)."""
        return v - torch.autograd.grad(self._pulled, self._weights, v, retain_graph=True)[0]

    def reduced(self, v: Tensor) -> Tensor:
        """The part of H v in the null space of J_A."""
        return self.tangential(self.hessian(v))

    def tangential(self, v: Tensor) -> Tensor:
        """The part of v (D,) in the null space of J_A."""
        return v - self.across(self._rows.push(v))

    def across(self, values: Tensor) -> Tensor:
        """The shortest x (D,) with J_A x = `values`."""
        return self._rows.pullback(torch.cholesky_solve(values[:, None], self._factor)[:, 0])

    @functools.cached_property
    def _rows(self) -> Jacobian:
        """J_A."""
        return self._cuts.rows.rows(self.active)

    @functools.cached_property
    def _factor(self) -> Tensor:
        gram = self._cuts.gram()[self.active][:, self.active].clone()
        gram.diagonal().add_(RIDGE * gram.diagonal().mean())
        return torch.linalg.cholesky(gram)

    @functools.cached_property
    def _weights(self) -> Tensor:
        return self._theta.clone().requires_grad_()

    @functools.cached_property
    def _pulled(self) -> Tensor:
        """J_Aᵀμ as a function of the weights."""
        places, width = self._cuts.places[self.active], self._cuts.width
        examples, position = torch.unique(places // width, return_inverse=True)
        margins = _differentiable(self._map, self._cuts.examples[examples])(self._weights).flatten()
        chosen = margins[position * width + places % width]
        pulled = torch.autograd.grad(chosen, self._weights, self.mu[self.active], create_graph=True)[0]
        return pulled + 0 * self._weights  # a function of W also where p is linear


def _differentiable(margin_map: MarginMap, examples: Tensor) -> Callable[[Tensor], Tensor]:
    """W ↦ the margins of `examples`, in one pass that autograd can differentiate twice."""
    if isinstance(margin_map, FunctionMap):
        return lambda weights: margin_map.function(weights)[examples]
    images, labels = margin_map.images[examples], margin_map.labels[examples]
    return lambda weights: margin_map.margins(weights, images, labels)
