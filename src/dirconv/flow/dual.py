r"""The softmin fixed point q = softmax(−(b + A q)): the one equation that a proximal step has to solve.

A is symmetric and positive semi-definite, (n, n); b is (n,); q lies in the simplex. It is the optimality condition of

    min over the simplex of   D(q) = ½ qᵀA q + bᵀq + Σ qᵢ ln qᵢ,

strictly convex, so that q exists and is unique. The scale of A and b is ln(1/ℒ), from 1 to 10¹² and more: where it is
large the entropy decides only among near ties, and the problem is a quadratic program in all but name. Two phases:

1.  A primal–dual interior point (Mehrotra's predictor and corrector) on the program without the entropy, until the
    duality gap is below one, the entropy's own size. About twenty Cholesky factorisations, whatever the scale.
2.  Newton's method on D in the variables u = ln q, from there or from a given start. With Q = diag(q) and the residual
    R = b + A q + u, the step solves

        (A + Q⁻¹) dq = dν 1 − R,   Σ dq = 0,      du = dν 1 − R − A dq,

    by a Cholesky factorisation of I + Q^½ A Q^½, whose eigenvalues are at least one. An example that carries no weight
    (q underflows) costs nothing and its u is still exact. A given start has twenty steps to
    come near in; among more than `LARGE` unknowns it is given up once it is seen that it will not.

Only torch, so that it runs where the margins are; tests hold it against a library's QP solver and against mpmath.
"""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

NUMERICS = 1
NEGLIGIBLE = -46.0  # ln q below which an example does not take part in a Newton step: 10⁻²⁰
HALF_NEGLIGIBLE = -23.0  # ln q that an example of no weight would have to grow beyond to be waited for: 10⁻¹⁰
DECREMENT = 1e-10  # of Newton's method, squared, at which phase 2 ends: D is that close to its minimum
NEWTON_STEPS = 60
LARGE = 2000  # unknowns above which a start is given up once it is seen to lead nowhere
HOPELESS = 100.0  # decrement, squared, that tells so after TRIED steps
TRIED = 3
INTERIOR_STEPS = 80


@dataclasses.dataclass(frozen=True)
class Dual:
    """The solution, and what it took."""

    q: Tensor  # (n,), in the simplex
    ln_q: Tensor  # (n,), exact where q underflows
    factorizations: int
    converged: bool


def solve(a: Tensor, b: Tensor, start: Tensor | None = None) -> Dual:
    """q = softmax(−(b + A q)) for A (n, n), b (n,), float64; `start`: ln q of a similar problem, (n,)."""
    spent = 0
    if start is not None:
        found = _newton(a, b, start, NEWTON_STEPS // 3, HOPELESS if len(b) > LARGE else math.inf)
        if found.converged:
            return found
        spent = found.factorizations
    if float(b.max() - b.min()) + float(a.diagonal().max()) < 10.0:
        first, steps = torch.zeros_like(b), 0
    else:
        first, steps = _interior(a, b)
    found = _newton(a, b, first, NEWTON_STEPS)
    return dataclasses.replace(found, factorizations=spent + steps + found.factorizations)


def _interior(a: Tensor, b: Tensor) -> tuple[Tensor, int]:
    """ln q of a point near the minimum of ½ qᵀA q + bᵀq, its duality gap below one; and the factorisations made."""
    n = len(b)
    one = torch.ones_like(b)
    q = one / n
    slack = a @ q + b
    level = float(slack.min())
    s = (slack - level).clamp(min=max(1.0, 0.1 * float(slack.max() - level)))
    nu = level - float(s.mean())
    for count in range(INTERIOR_STEPS):
        dual = a @ q + b - s - nu
        gap = float(q @ s)
        if gap < 1.0 and float(dual.abs().max()) < max(1.0, 1e-14 * float((a @ q).abs().max() + b.abs().max())):
            return q.log(), count
        factor = _cholesky(a + torch.diag(s / q))
        x_one = torch.cholesky_solve(one[:, None], factor)[:, 0]

        def direction(target: Tensor, x_one=x_one, factor=factor, dual=dual, q=q, s=s):
            x = torch.cholesky_solve((target / q - s - dual)[:, None], factor)[:, 0]
            d_nu = float((1 - q.sum() - x.sum()) / x_one.sum())
            dq = x + d_nu * x_one
            return dq, (target - s * dq) / q - s, d_nu

        dq, ds, _ = direction(torch.zeros_like(q))
        affine = float((q + _longest(q, dq) * dq) @ (s + _longest(s, ds) * ds))
        mu = gap / n * (affine / gap) ** 3
        dq, ds, d_nu = direction(mu - dq * ds)
        step, step_s = 0.995 * _longest(q, dq), 0.995 * _longest(s, ds)
        step = step_s = min(step, step_s, 1.0)
        q = q + step * dq
        s = s + step_s * ds
        nu = nu + step_s * d_nu
    return q.log(), INTERIOR_STEPS


def _longest(x: Tensor, dx: Tensor) -> float:
    """Largest step ≤ 1 along dx that keeps x ≥ 0."""
    ratio = torch.where(dx < 0, -x / dx, torch.inf)
    return min(1.0, float(ratio.min()))


def _newton(a: Tensor, b: Tensor, u: Tensor, most: int, hopeless: float = math.inf) -> Dual:
    u = u - torch.logsumexp(u, 0)
    q, gradient, entropy = _at(a, b, u)
    for count in range(1, most + 1):
        residual = gradient + u - entropy
        # what carries next to nothing and is to carry less: D shows no decrease by which to choose a step
        gone = (q < 1e-6) & (q * a.diagonal() < 0.5 * residual)
        if bool(gone.any()):
            u = torch.where(gone, u - residual, u)
            u = u - torch.logsumexp(u, 0)
            q, gradient, entropy = _at(a, b, u)
            residual = gradient + u - entropy
        active = u > NEGLIGIBLE
        part = a[active][:, active] if not bool(active.all()) else a
        root = q[active].sqrt()
        factor = _cholesky(torch.eye(len(root), dtype=a.dtype, device=a.device) + root[:, None] * part * root)
        right = torch.stack([-root * residual[active], root], 1)
        x, x_one = (root[:, None] * torch.cholesky_solve(right, factor)).unbind(1)
        d_nu = -x.sum() / x_one.sum()
        dq = torch.zeros_like(q)
        dq[active] = x + d_nu * x_one
        du = d_nu - residual - a @ dq
        du = torch.where(q * a.diagonal() > 1.0, dq / q.clamp(min=1e-300), du)  # the same, without A in its rounding
        du = du - q @ du
        decrement = -float(dq @ residual)
        if count > TRIED and decrement > hopeless:
            return _finish(a, b, u, count, False)
        # an example that would grow out of nothing weighs nothing in the decrement
        grows = bool(((du > 1) & (u + du > HALF_NEGLIGIBLE)).any())
        if decrement <= DECREMENT:
            return _finish(a, b, u, count, False) if grows else _finish(a, b, u + du, count, True)
        step = 1.0
        while True:
            trial = u + step * du
            trial = trial - torch.logsumexp(trial, 0)
            move = trial.exp() - q
            # of D, as a difference: its terms are far larger than what is to be seen
            change = float(move @ (gradient + 0.5 * (a @ move)) + _entropy(trial) - entropy)
            if change <= -1e-4 * step * decrement:
                break
            step *= 0.5
            if step < 1e-6:  # D cannot be told from its minimum any more, in float64
                floor = 1e-13 * (1 + float((a @ q).abs().max() + b.abs().max()))
                return _finish(a, b, u, count, decrement <= max(floor, 1e-6) and not grows)
        u = trial
        q, gradient, entropy = _at(a, b, u)
    return _finish(a, b, u, most, False)


def _at(a: Tensor, b: Tensor, u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """q, b + A q without its mean (a constant is of no effect, and would drown in rounding what matters), Σ q ln q."""
    q = u.exp()
    gradient = b + a @ q
    return q, gradient - q @ gradient, _entropy(u)


def _entropy(u: Tensor) -> Tensor:
    """Σ q ln q."""
    q = u.exp()
    return torch.where(q > 0, q * u, 0.0).sum()


def _finish(a: Tensor, b: Tensor, u: Tensor, count: int, converged: bool) -> Dual:
    """The solution at u, with ln q from the equation itself where q carries no weight in it."""
    u = u - torch.logsumexp(u, 0)
    q, gradient, entropy = _at(a, b, u)
    if converged:
        u = torch.where(q < 1e-10, entropy - gradient, u)
    return Dual(u.exp(), u, count, converged)


def _cholesky(matrix: Tensor) -> Tensor:
    """Lower factor of a positive definite matrix, with as little added to its diagonal as it takes."""
    shift = 0.0
    scale = float(matrix.diagonal().abs().max())
    while True:
        factor, info = torch.linalg.cholesky_ex(
            matrix if shift == 0 else matrix + torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device) * shift
        )
        if int(info) == 0:
            return factor
        shift = max(10 * shift, 1e-15 * scale)
        if not math.isfinite(shift) or shift > scale:
            raise ArithmeticError("the Gram matrix is not positive semi-definite")
