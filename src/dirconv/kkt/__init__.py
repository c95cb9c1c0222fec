r"""How near a direction is to a KKT point of the hard-margin problem, with the multipliers that say so.

The problem is   min ½‖W‖²   subject to   p_i(W) ≥ 1,   for margins p of degree L. A direction θ, ‖θ‖ = 1, with
γ = min p(θ) > 0 stands for the point θ̃ = θ/γ^(1/L), at which min p̃ = 1. It is an (ε, δ)-KKT point if there are
λ_i ≥ 0 and g_i in Clarke's subdifferential of p_i at θ̃ with

    ‖θ̃ − Σ λ_i g_i‖ ≤ ε,        λ_i (p_i(θ̃) − 1) ≤ δ   for all i.                                             (1)

Of several *cuts* of one example, gradients from the sides of a kink, any convex combination may serve as g_i; so every
cut j has a multiplier of its own, and λ_i is their sum (`dirconv.kkt.resolved` gathers cuts). `certify` minimises ε
over λ ≥ 0, a non-negative least squares problem, where only examples with p_i ≤ (1 + slack) γ may have a multiplier.
That bounds δ by slack · max λ. The least ε is one of this set: a larger slack lowers ε and raises δ, and both are
reported. Far from the limit, where margins are not yet tied, few examples are in it and ε is large.

`slack=None` asks for both at once instead: the multipliers of the problem linearised at θ̃, min ½‖W‖² subject to
p_i(θ̃) + ⟨g_i, W − θ̃⟩ ≥ 1. Its duality gap at θ̃ is  ½‖θ̃ − Σ λ g‖² + Σ λ_i (p_i(θ̃) − 1),  which they minimise over λ ≥ 0;
ε² is at most twice the gap, and δ at most the gap. Newton's method starts from them (`dirconv.kkt.polish`).

Everything is computed at unit norm, where nothing overflows. With gradients g of p at θ and weights μ,

    θ̃ − Σ λ g(θ̃) = γ^(−1/L) (θ − Σ μ g(θ)),     λ = γ^((L−2)/L) μ,     p̃ = p(θ)/γ.                        (2)

The multipliers are found from the Gram matrix alone, and ε then from the vector θ − Σ μ g: as a quadratic form of the
Gram matrix, ε² would lose all digits below the unit roundoff. At the least ε the sum is orthogonal to the residual,
so that cos ∠(θ, Σ λ g) = √(1 − ε²/‖θ̃‖²). With the softmin weights of the flow, λ ∝ q and ‖Σ λ g‖ = ‖θ̃‖,
ε = √(2 (1 − cos ∠)) γ^(−1/L).

Source: Dutta, Deb, Tulshyan & Arora, J. Global Optim. 56 (2013), for approximate KKT points; Lyu & Li, ICLR 2020,
Definition C.4, for their use; Lawson & Hanson, Solving Least Squares Problems (1974), chapter 23, for non-negative
least squares and for least distance programming, which the linearised problem is.
"""

from __future__ import annotations

import dataclasses
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from dirconv.margins import MarginMap, Rows

NUMERICS = 1
SLACK = 0.01  # how far, relative to γ, an example's margin may be above the smallest if it is to have a multiplier
WIDE = 0.5  # the same where the linearised problem decides
ROUNDS = 30  # of non-negative least squares a cut, at most
ROUNDING = 8 * 2.0**-53  # eigenvalues of the Gram matrix below m times this, relative to the largest, are noise


class Cuts(Protocol):
    """m gradients g_j of margins at unit norm, at θ or near it; several may belong to one margin."""

    owners: Tensor  # (m,): the margin's index in p(θ).flatten(), i (K−1) + k
    inner: Tensor  # ⟨θ, g_j⟩, (m,), float64

    def gram(self) -> Tensor:
        """⟨g_j, g_k⟩, (m, m), float64, without any projection."""

    def pullback(self, q: Tensor) -> Tensor:
        """Σ q_j g_j, (m,) → (D,), float64."""


@dataclasses.dataclass(frozen=True)
class RowCuts:
    """One cut a margin: the rows of some examples (e,) at θ. See `Cuts`."""

    rows: Rows
    owners: Tensor
    inner: Tensor

    @classmethod
    def at(cls, margin_map: MarginMap, theta: Tensor, examples: Tensor) -> RowCuts:
        """The rows of `examples` (e,) at the unit vector θ (D,); ⟨θ, ∇p_i(θ)⟩ = L p_i(θ) by Euler's identity."""
        rows = margin_map.rows(theta, examples)
        width = rows.margins.shape[1]
        owners = (examples[:, None] * width + torch.arange(width, device=examples.device)).flatten()
        return cls(rows, owners, margin_map.degree * rows.margins.flatten())

    def gram(self) -> Tensor:
        return self.rows.gram()

    def pullback(self, q: Tensor) -> Tensor:
        return self.rows.pullback(q.view(self.rows.margins.shape))


@dataclasses.dataclass(frozen=True, repr=False)
class Certificate:
    """θ̃ = θ/γ^(1/L) is an (ε, δ)-KKT point of min ½‖W‖², p_i(W) ≥ 1, with these multipliers."""

    multipliers: Tensor  # λ (n, K−1), of the margins p_ik
    of_cuts: Tensor  # λ (m,), of the cuts that were given
    epsilon: float  # ε, in the units of θ̃
    epsilon_relative: float  # ε/‖θ̃‖ = ε γ^(1/L)
    delta: float  # δ = max λ_ik (p_ik(θ̃) − 1)
    margin: float  # γ = min p(θ)
    radius: float = 0.0  # how far from θ gradients were taken, radians (`dirconv.kkt.resolved`)

    @property
    def per_example(self) -> Tensor:
        """λ_i = Σ_k λ_ik, (n,)."""
        return self.multipliers.sum(1)

    @property
    def support(self) -> Tensor:
        """The examples with a multiplier, (k,), in their order."""
        return self.per_example.nonzero().flatten()

    def __repr__(self) -> str:
        numbers = ", ".join(f"{name} = {getattr(self, name):.3g}" for name in ("epsilon", "delta", "margin"))
        return f"<KKT: {numbers}; {len(self.support)} of {len(self.multipliers)} examples with multipliers>"


def certificate(margin_map: MarginMap, theta: Tensor, slack: float | None = SLACK) -> Certificate:
    """The certificate of a unit vector θ (D,), in float64, with the gradients at θ itself: one cut a margin.

    ValueError without a degree, with coupled examples, and where min p(θ) is not above zero.
    """
    exact = margin_map.precise()
    margins = exact.values(theta)
    near = tied(margins, exact.degree, WIDE if slack is None else slack).any(1)
    cuts = RowCuts.at(exact, theta, near.nonzero().flatten())
    return certify(cuts, theta, margins, exact.degree, slack=slack)


def tied(margins: Tensor, degree: int | None, slack: float) -> Tensor:
    """Which of the margins p(θ) (n, K−1) are at most (1 + slack) min p(θ): a mask. ValueError as in `certificate`."""
    if degree is None:
        raise ValueError("a map without a degree has no hard-margin problem")
    if not float(margins.min()) > 0:
        raise ValueError(f"the smallest margin must be above zero, got {float(margins.min()):.3g}")
    return margins <= (1 + slack) * margins.min()


def certify(
    cuts: Cuts,
    theta: Tensor,
    margins: Tensor,
    degree: int,
    *,
    slack: float | None = SLACK,
    weights: Tensor | None = None,
) -> Certificate:
    """The least ε with its δ and multipliers; or those of given weights.

    theta: the unit vector θ (D,). margins: p(θ) (n, K−1) of all examples, float64. degree: L.
    slack: cuts of margins above (1 + slack) min p(θ) have no multiplier. None: multipliers of the linearised problem.
    weights: μ (m,) of (2), judged as they are; none is sought then, and slack is not used.

    ValueError where min p(θ) is not above zero. RuntimeError where the least squares problem is not solved.
    """
    p = margins.flatten()
    gamma = float(p.min())
    if not gamma > 0:
        raise ValueError(f"the smallest margin must be above zero, got {gamma:.3g}")
    mu = solve(cuts, p[cuts.owners], gamma, slack) if weights is None else weights
    relative = float((theta - cuts.pullback(mu)).norm())
    of_cuts = mu * gamma ** ((degree - 2) / degree)
    multipliers = torch.zeros_like(p).index_add_(0, cuts.owners, of_cuts)
    return Certificate(
        multipliers=multipliers.view(margins.shape),
        of_cuts=of_cuts,
        epsilon=relative * gamma ** (-1 / degree),
        epsilon_relative=relative,
        delta=float((multipliers * (p / gamma - 1)).max()),
        margin=gamma,
    )


def solve(cuts: Cuts, p: Tensor, gamma: float, slack: float | None) -> Tensor:
    """μ ≥ 0 (m,) of least ‖θ − Σ μ_j g_j‖ among cuts with margins p_j ≤ (1 + slack) γ, p (m,); None: linearised.

    With K = BᵀB, B = Λ^½Vᵀ from the eigenvalues of K above rounding, it is min ‖B μ − Λ^(−½)Vᵀ⟨θ, g⟩‖. Cuts that are
    equal, or nearly so, make K singular and are the normal case; gradients are first brought to one length.

    The linearised problem is min ‖W‖ subject to ⟨g_j, W⟩ ≥ h_j = ⟨θ, g_j⟩ − (p_j − γ): with the u ≥ 0 of least
    ‖B u‖² + (hᵀu − 1)², μ = u/(1 − hᵀu).
    """
    chosen = (p <= (1 + (WIDE if slack is None else slack)) * gamma).nonzero().flatten()
    gram = cuts.gram()[chosen][:, chosen].cpu().numpy()
    inner = cuts.inner[chosen].cpu().numpy()
    scaled = _Scaled.of(gram)
    if slack is None:
        found = scaled.least_distance(inner - (p[chosen].cpu().numpy() - gamma))
    else:
        found = scaled.least_squares(inner)
    mu = torch.zeros_like(cuts.inner)
    mu[chosen] = torch.from_numpy(found).to(mu.device)
    return mu


def least_distance(gram: Tensor, h: Tensor) -> Tensor:
    """u ≥ 0 (m,) for which Σ u_j g_j is the shortest vector z with ⟨g_j, z⟩ ≥ h_j for all j, K (m, m) of the g_j.

    RuntimeError where the least squares problem is not solved. Where no z will do, u is not finite or huge.
    """
    return torch.from_numpy(_Scaled.of(gram.cpu().numpy()).least_distance(h.cpu().numpy())).to(h)


@dataclasses.dataclass(frozen=True)
class _Scaled:
    """K = S Bᵀ B S, S of the gradients' lengths, B from the eigenvalues above rounding."""

    factor: np.ndarray  # B = Λ^½ Vᵀ
    inverse: np.ndarray  # Λ^(−½) Vᵀ
    length: np.ndarray  # S, (m,)

    @classmethod
    def of(cls, gram: np.ndarray) -> _Scaled:
        length = np.sqrt(np.maximum(gram.diagonal(), 0))
        length[length == 0] = 1.0  # a cut without a gradient: its column is zero, and so its multiplier
        values, vectors = np.linalg.eigh(gram / np.outer(length, length))
        kept = values > len(values) * ROUNDING * values[-1]
        roots = np.sqrt(values[kept])
        return cls(roots[:, None] * vectors[:, kept].T, vectors[:, kept].T / roots[:, None], length)

    def least_squares(self, inner: np.ndarray) -> np.ndarray:
        """μ ≥ 0 of least ‖x − Σ μ_j g_j‖, given ⟨g_j, x⟩."""
        from scipy.optimize import nnls

        found, _ = nnls(self.factor, self.inverse @ (inner / self.length), maxiter=ROUNDS * len(inner))
        return found / self.length

    def least_distance(self, h: np.ndarray) -> np.ndarray:
        """See `least_distance`."""
        from scipy.optimize import nnls

        target = np.r_[np.zeros(len(self.factor)), 1.0]
        h = h / self.length
        u, _ = nnls(np.vstack([self.factor, h]), target, maxiter=ROUNDS * len(h))
        return u / (1 - h @ u) / self.length
