"""The softmin fixed points of `dirconv.flow.dual` for many problems as one batch."""

from __future__ import annotations

import torch
from torch import Tensor

from dirconv.flow import dual

NUMERICS = 1
GOES_THROUGH = ("dual",)
NEWTON_STEPS = 30
HALVINGS = 12  # of a Newton step


def solve_duals(a: Tensor, b: Tensor, u: Tensor) -> Tensor:
    """ln q with q = softmax(−(b + A q)) for each of S problems: a (S, n, n), b and the start u (S, n).

    Newton's method of `dirconv.flow.dual` in a batch; problems that it does not solve go there one by one.
    """
    u = torch.log_softmax(u.clamp(min=-700.0), 1)
    diagonal = a.diagonal(dim1=1, dim2=2)
    identity = torch.eye(a.shape[1], dtype=a.dtype)
    waiting = torch.arange(len(u))
    result = u.clone()
    for _ in range(NEWTON_STEPS):
        part, base, x, d = a[waiting], b[waiting], u[waiting], diagonal[waiting]
        q, gradient, entropy = _at(part, base, x)
        residual = gradient + x - entropy[:, None]
        gone = (q < 1e-6) & (q * d < 0.5 * residual)
        x = torch.log_softmax(torch.where(gone, x - residual, x), 1)
        q, gradient, entropy = _at(part, base, x)
        residual = gradient + x - entropy[:, None]
        root = q.sqrt()
        factor, info = torch.linalg.cholesky_ex(identity + root[:, :, None] * part * root[:, None])
        right = torch.stack([-root * residual, root], 2)
        solution = root[:, :, None] * torch.cholesky_solve(right, factor)
        nu = -solution[:, :, 0].sum(1) / solution[:, :, 1].sum(1)
        dq = solution[:, :, 0] + nu[:, None] * solution[:, :, 1]
        du = nu[:, None] - residual - (part @ dq[:, :, None])[:, :, 0]
        du = torch.where(q * d > 1.0, dq / q.clamp(min=1e-300), du)
        du = du - (q * du).sum(1, keepdim=True)
        decrement = -(dq * residual).sum(1)
        grows = ((du > 1) & (x + du > dual.HALF_NEGLIGIBLE)).any(1)
        done = (decrement <= dual.DECREMENT) & ~grows & (info == 0)
        result[waiting[done]] = torch.log_softmax((x + du)[done], 1)
        step = torch.ones_like(decrement)
        open_ = ~done
        for _ in range(HALVINGS):
            trial = torch.log_softmax(x + step[:, None] * du, 1)
            move = trial.exp() - q
            change = (move * (gradient + 0.5 * (part @ move[:, :, None])[:, :, 0])).sum(1) + _entropy(trial) - entropy
            short = open_ & ~(change <= -1e-4 * step * decrement)
            if not bool(short.any()):
                break
            step = torch.where(short, 0.5 * step, step)
        u[waiting] = torch.log_softmax(x + step[:, None] * du, 1)
        waiting = waiting[open_ & (info == 0) & torch.isfinite(decrement)]
        if len(waiting) == 0:
            break
    unsolved = (~torch.isfinite(result).all(1)).nonzero().flatten()
    for i in {*waiting.tolist(), *unsolved.tolist()}:
        result[i] = dual.solve(a[i], b[i]).ln_q
    return result


def _at(a: Tensor, b: Tensor, u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    q = u.exp()
    gradient = b + (a @ q[:, :, None])[:, :, 0]
    return q, gradient - (q * gradient).sum(1, keepdim=True), _entropy(u)


def _entropy(u: Tensor) -> Tensor:
    q = u.exp()
    return torch.where(q > 0, q * u, 0.0).sum(1)
