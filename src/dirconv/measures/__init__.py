"""Measures: from a trajectory to tables. Each module has `table(trajectory)`; claims and figures read only tables.

τ = ln(‖W‖/‖W₀‖) counts from the flow's start, which is where training reached ℒ < ℓ(0) or gave up.
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
from dirconv.losses import Loss
from dirconv.margins import Block, error_rate
from dirconv.margins.network import NetworkMap, evaluate

NUMERICS = 1


@dataclasses.dataclass(frozen=True)
class Point:
    """Margins at a snapshot, and inner products with v = Σ q ∇p, along −∇ℒ, for each parameter tensor k."""

    margins: Tensor  # (n, K−1), float64
    inner: np.ndarray  # ⟨W_k, v_k⟩
    weights_squared: np.ndarray  # ‖W_k‖²
    velocity_squared: np.ndarray  # ‖v_k‖²


@dataclasses.dataclass(frozen=True)
class Trajectory:
    """A run: the tables of training and flow, the weights at S snapshots, and the margin maps to evaluate there."""

    training: pd.DataFrame  # a row an epoch
    steps: pd.DataFrame  # a row a step, `dirconv.flow.Step.row`
    snapshot_steps: np.ndarray  # (S,), numbers of steps
    weights: Tensor  # (S, D), in the network's precision
    train: NetworkMap
    test: NetworkMap
    loss: Loss

    @property
    def blocks(self) -> list[Block]:
        """The parameter tensors."""
        return self.train.blocks

    @property
    def snapshots(self) -> Iterator[tuple[Any, Tensor, Point]]:
        """Each snapshot's row of `at_snapshots`, its weights W (D,), float64, and its point."""
        weights = (each.double() for each in self.weights)
        return zip(self.at_snapshots.itertuples(index=False), weights, self.points, strict=True)

    def table(self, rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
        """`at_snapshots` with further columns, given as a row a snapshot."""
        return pd.concat([self.at_snapshots, pd.DataFrame(rows)], axis=1)

    def tested(self, weights: Tensor, point: Point) -> tuple[Tensor, dict[str, float]]:
        """Margins of the test data at a snapshot; its train_error, test_error and ln_mean_test_loss = ln of mean ℓ."""
        margins = evaluate(self.train, self.test, weights)
        return margins, {
            "train_error": error_rate(point.margins),
            "test_error": error_rate(margins),
            "ln_mean_test_loss": float(self.loss.ln_risk(margins)) - math.log(len(margins)),
        }

    @functools.cached_property
    def path(self) -> pd.DataFrame:
        """The steps with tan ∠ of the velocity, ã = ℓ⁻¹(ℒ)/‖W‖^L (NaN without a degree) and whether ℒ < ℓ(0)."""
        steps, degree = self.steps, self.train.degree
        table = steps.assign(
            tan=np.sqrt(np.maximum(1 - steps["cos"] ** 2, 0)) / steps["cos"],
            smoothed_margin=np.nan if degree is None else steps["unnormalised_margin"] / steps["norm"] ** degree,
            below=steps["ln_risk"] < self.loss.ln_at_zero,
        )
        return path_table(table)

    @functools.cached_property
    def at_snapshots(self) -> pd.DataFrame:
        """The snapshots' columns in every table: snapshot, step, tau, ln_risk, norm."""
        rows = self.path.set_index("step").loc[self.snapshot_steps, ["tau", "ln_risk", "norm"]].reset_index()
        rows.insert(0, "snapshot", np.arange(len(rows)))
        return rows

    @functools.cached_property
    def points(self) -> list[Point]:
        """Margins and gradient at every snapshot."""
        return [self._point(weights.double()) for weights in self.weights]

    def _point(self, weights: Tensor) -> Point:
        margins, pullback = self.train.linearize(weights)
        if not self.train.coupled:
            margins = self.train.precise().values(weights)
        velocity = pullback(self.loss.weights(margins))

        def by_block(values: Tensor) -> np.ndarray:
            return np.array([float(values[block.start : block.stop].sum()) for block in self.blocks])

        return Point(margins, by_block(weights * velocity), by_block(weights.square()), by_block(velocity.square()))
