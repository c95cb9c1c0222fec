r"""The two-step backward formula (BDF2) with varying steps: what a step starts from, and what it gets wrong.

With x₋, x two points, h₋ the step between them, h the one to be made and ω = h/h₋,

    x⁺ = x̄ + β h F(x⁺),     x̄ = [(1+ω)² x − ω² x₋]/(1+2ω),     β = (1+ω)/(1+2ω),     x̂ = x + ω (x − x₋),

x̂ being where a line through both points leads. With one point: implicit Euler, x̄ = x̂ = x, β = 1.

Source: Hairer, Nørsett & Wanner, Solving ODEs I, III.5; docs/flow.md, (4.2) and (4.9).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

NUMERICS = 1


def start(points: Tensor, clocks: Sequence[float], h: float) -> tuple[Tensor, float, Tensor]:
    """x̄ (D,), β h and x̂ (D,), from the last `points` (one or more, D), the newest last, at their `clocks`."""
    x = points[-1]
    if len(points) == 1:
        return x, h, x
    ratio = h / (clocks[-1] - clocks[-2])
    base = ((1 + ratio) ** 2 * x - ratio**2 * points[-2]) / (1 + 2 * ratio)
    return base, h * (1 + ratio) / (1 + 2 * ratio), x + ratio * (x - points[-2])


def local_error(points: Tensor, clocks: Sequence[float], h: float, x: Tensor, sphere: bool) -> float:
    """Local error of the step of size h to x (D,), relative to ‖x‖, from its distance to where the past points lead.

    Through three points a parabola, with the factor of (4.9); through two a line, and through one that point: half the
    distance, which is too large for a smooth path. On the sphere what is extrapolated is brought back to it.
    """
    now = clocks[-1] + h
    if len(points) == 1:
        return 0.5 * float((x - points[0]).norm() / x.norm())
    weights = [math.prod((now - b) / (a - b) for b in clocks if b != a) for a in clocks]
    predicted = torch.tensordot(points.new_tensor(weights), points, 1)
    if sphere:
        predicted = predicted / predicted.norm()
    distance = float((x - predicted).norm() / x.norm())
    if len(points) == 2:
        return 0.5 * distance
    ratio = h / (clocks[-1] - clocks[-2])
    # both times x‴: the local error of the formula, and that of the extrapolated parabola
    formula = (1 + ratio) ** 2 * h**3 / (6 * ratio * (1 + 2 * ratio))
    return distance * formula / (formula + math.prod(now - t for t in clocks) / 6)
