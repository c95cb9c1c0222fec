"""Measures: from a trajectory to tables. Each module has `table(trajectory)`; claims and figures read only tables.

τ = ln(‖W‖/‖W₀‖) counts from the flow's start, which is where training reached ℒ < ℓ(0) or gave up.

A map of degree L is evaluated at θ = W/‖W‖, with ln s = L ln‖W‖ apart: p(W) = s p(θ), ∇p(W) = ‖W‖^(L−1) ∇p(θ). At
τ = 100 and L = 6, s = ‖W‖^L is near 10²⁷⁰, s² overflows, and activations at W are beyond float32 from τ ≈ 14 on. A
table holds an infinity only where the number itself overflows. Maps without a degree are evaluated at W, with s = 1.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from dirconv.flow import path_table
from dirconv.geometry import directions
from dirconv.losses import Loss
from dirconv.margins import Block, error_rate
from dirconv.margins.network import NetworkMap, evaluate

NUMERICS = 1
GOES_THROUGH = ("geometry",)


@dataclasses.dataclass(frozen=True)
class Point:
    """Margins at a snapshot, and inner products with v = Σ q ∇p, along −∇ℒ, for each parameter tensor k.

    All of it at the point x where a snapshot is evaluated (`Trajectory.at`): θ for maps with a degree, else W. The
    softmin weights q are those at W.
    """

    margins: Tensor  # p(x), (n, K−1), float64
    inner: np.ndarray  # ⟨x_k, v_k⟩
    weights_squared: np.ndarray  # ‖x_k‖²
    velocity_squared: np.ndarray  # ‖v_k‖²
    norm: float = 1.0  # ‖W‖/‖x‖: ‖W‖ for maps with a degree, else 1
    ln_scale: float = 0.0  # ln s: p(W) = s p(x)


@dataclasses.dataclass(frozen=True)
class Trajectory:
    """A run: the tables of training and flow, the weights at S snapshots, and the margin maps to evaluate there."""

    training: pd.DataFrame  # a row an epoch
    steps: pd.DataFrame  # a row a step, `dirconv.flow.Step.row`
    snapshot_steps: np.ndarray  # (S,), numbers of steps
    weights: Tensor  # (S, D), in the network's precision; for maps with a degree up to a positive factor each
    train: NetworkMap
    test: NetworkMap
    loss: Loss

    @property
    def blocks(self) -> list[Block]:
        """The parameter tensors."""
        return self.train.blocks

    @property
    def snapshots(self) -> Iterator[tuple[Any, Tensor, Point]]:
        """Each snapshot's row of `at_snapshots`, where it is evaluated (`at`), and its point."""
        places = (self.at(index) for index in range(len(self.weights)))
        return zip(self.at_snapshots.itertuples(index=False), places, self.points, strict=True)

    def at(self, index: int) -> Tensor:
        """Where a snapshot is evaluated, (D,), float64: θ = W/‖W‖ for maps with a degree, else W."""
        weights = self.weights[index].double()
        return weights if self.train.degree is None else directions(weights)

    def ln_scale(self, norm: float) -> float:
        """ln s where ‖W‖ is `norm`: L ln‖W‖, 0 for maps without a degree."""
        return 0.0 if self.train.degree is None else self.train.degree * math.log(norm)

    def table(self, rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
        """`at_snapshots` with further columns, given as a row a snapshot."""
        return pd.concat([self.at_snapshots, pd.DataFrame(rows)], axis=1)

    def tested(self, weights: Tensor, point: Point) -> tuple[Tensor, dict[str, float]]:
        """Margins of the test data at a snapshot; its train_error, test_error and ln_mean_test_loss = ln of mean ℓ.

        weights, (D,), and point: as `snapshots` yields them; the margins are p(x), those of the loss s p(x).
        """
        margins = evaluate(self.train, self.test, weights)
        return margins, {
            "train_error": error_rate(point.margins),
            "test_error": error_rate(margins),
            "ln_mean_test_loss": float(self.loss.ln_risk(margins, point.ln_scale)) - math.log(len(margins)),
        }

    @functools.cached_property
    def path(self) -> pd.DataFrame:
        """The steps with tan ∠ of the velocity, ã (NaN without a degree) and whether ℒ < ℓ(0)."""
        return path_table(self.steps, self.train.degree, self.loss)

    @functools.cached_property
    def at_snapshots(self) -> pd.DataFrame:
        """The snapshots' columns in every table: snapshot, step, tau, ln_risk, norm."""
        rows = self.path.set_index("step").loc[self.snapshot_steps, ["tau", "ln_risk", "norm"]].reset_index()
        rows.insert(0, "snapshot", np.arange(len(rows)))
        return rows

    @functools.cached_property
    def points(self) -> list[Point]:
        """Margins and gradient at every snapshot."""
        return [self._point(self.at(index), norm) for index, norm in enumerate(self.at_snapshots["norm"])]

    def _point(self, weights: Tensor, norm: float) -> Point:
        margins, pullback = self.train.linearize(weights)
        if not self.train.coupled:
            margins = self.train.precise().values(weights)
        ln_scale = self.ln_scale(norm)
        velocity = pullback(self.loss.weights(margins, ln_scale))

        def by_block(values: Tensor) -> np.ndarray:
            return np.array([float(values[block.start : block.stop].sum()) for block in self.blocks])

        return Point(
            margins,
            inner=by_block(weights * velocity),
            weights_squared=by_block(weights.square()),
            velocity_squared=by_block(velocity.square()),
            norm=1.0 if self.train.degree is None else norm,
            ln_scale=ln_scale,
        )


def exp(value: float) -> float:
    """e^value, infinite where that overflows."""
    with np.errstate(over="ignore"):
        return float(np.exp(value))
