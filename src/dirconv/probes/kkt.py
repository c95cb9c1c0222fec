r"""How near the direction is to a KKT point of the hard-margin problem, at every snapshot (`dirconv.kkt.resolved`).

================  ============================================================================================
column            of the direction θ = W/‖W‖, θ̃ = θ/γ^(1/L)
================  ============================================================================================
margin            γ = min p(θ)
epsilon           least ‖θ̃ − Σ λ g‖ over λ ≥ 0, of examples with p(θ) ≤ (1 + `dirconv.kkt.SLACK`) γ
epsilon_relative  ε/‖θ̃‖
cos_best          cos ∠(θ, Σ λ g) = √(1 − ε²/‖θ̃‖²): the largest alignment that any λ ≥ 0 gives
delta             max λ_i (p_i(θ̃) − 1), with the same λ
radius            how far from θ the gradients g were taken, radians: 0 where there are no kinks to be resolved
support           how many examples have a multiplier
examples          their numbers, a list
multipliers       their λ, a list in the same order; for K classes an example's is the sum over the other classes
================  ============================================================================================

`table.explode(["examples", "multipliers"])` has a row an example. Numbers are NaN, and lists empty, where there is no
such problem: without a degree, with batch statistics, and where some example is not classified (γ ≤ 0).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from dirconv import kkt
from dirconv.geometry import directions
from dirconv.kkt import resolved
from dirconv.measures import Trajectory

NUMERICS = 1
GOES_THROUGH = ("geometry", "kkt", "resolved_kkt")
NUMBERS = ("margin", "epsilon", "epsilon_relative", "cos_best", "delta", "radius")


def table(trajectory: Trajectory) -> pd.DataFrame:
    """A row a snapshot, with the columns above."""
    problem = trajectory.train.degree is not None and not trajectory.train.coupled
    rows = []
    for weights in trajectory.weights:
        theta = directions(weights)
        classified = problem and float(trajectory.train.precise().values(theta).min()) > 0
        rows.append(_row(resolved.certificate(trajectory.train, theta)) if classified else _nothing())
    return trajectory.table(rows)


def _row(found: kkt.Certificate) -> dict[str, Any]:
    return {
        "margin": found.margin,
        "epsilon": found.epsilon,
        "epsilon_relative": found.epsilon_relative,
        "cos_best": math.sqrt(max(0.0, 1 - found.epsilon_relative**2)),
        "delta": found.delta,
        "radius": found.radius,
        "support": len(found.support),
        "examples": found.support.cpu().numpy(),
        "multipliers": found.per_example[found.support].cpu().numpy(),
    }


def _nothing() -> dict[str, Any]:
    lists = {"examples": np.zeros(0, dtype=np.int64), "multipliers": np.zeros(0)}
    return {**dict.fromkeys(NUMBERS, math.nan), "support": 0, **lists}
