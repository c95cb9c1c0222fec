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
    (q underflows) costs nothing and its u is still exact.

Known limit: where A is of much lower rank than n and the scale is 10⁶ or more, phase 2 may stop far from the solution
(`converged` says so), and ln q of examples that carry no weight may be off. The caller computes margins anew and asks
again, so that a poor answer costs a correction or a shorter step, not a wrong one.

Only torch, so that it runs where the margins are; tests hold it against a library's QP solver and against mpmath.
"""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

NEGLIGIBLE = -46.0  # ln q below which an example does not take part in a Newton step: 10⁻²⁰
DECREMENT = 1e-10  # of Newton's method, squared, at which phase 2 ends: D is that close to its minimum
NEWTON_STEPS = 60
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
        found = _newton(a, b, start, NEWTON_STEPS // 3)
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
        if gap < 1.0 and float(dual.abs() @ q) < 1.0:
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


def _newton(a: Tensor, b: Tensor, u: Tensor, most: int) -> Dual:
    u = u - torch.logsumexp(u, 0)
    q = u.exp()
    aq = a @ q
    value = float(q @ (0.5 * aq + b)) + float(torch.where(q > 0, q * u, 0.0).sum())
    for count in range(1, most + 1):
        residual = b + aq + u
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
        decrement = -float(dq @ residual)
        if decrement <= DECREMENT:
            u = u + du if float(du[active].abs().max()) < 1 else u
            u = u - torch.logsumexp(u, 0)
            return Dual(u.exp(), u, count, True)
        step = 1.0
        while True:
            trial = u + step * du
            trial = trial - torch.logsumexp(trial, 0)
            q_trial = trial.exp()
            aq_trial = a @ q_trial
            value_trial = float(q_trial @ (0.5 * aq_trial + b)) + float(
                torch.where(q_trial > 0, q_trial * trial, 0.0).sum()
            )
            if value_trial <= value - 1e-4 * step * decrement:
                break
            step *= 0.5
            if step < 1e-6:  # D cannot be told from its minimum any more, in float64
                floor = 1e-13 * (1 + abs(value) + float(aq.abs().max()))
                return Dual(q, u, count, decrement <= max(floor, 1e-6))
        u, q, aq, value = trial, q_trial, aq_trial, value_trial
    return Dual(q, u, most, False)


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
