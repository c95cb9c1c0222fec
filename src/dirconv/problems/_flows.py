"""From a problem's margins and start to its tables `path` and `decomposition`, all seeds as one ensemble."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from dirconv import losses
from dirconv.flow import ensemble, rates
from dirconv.flow.point import ROUNDING_DOUBLE
from dirconv.geometry import angles
from dirconv.goals import Stop
from dirconv.margins.ensemble import EnsembleMap
from dirconv.problems import Followed

if TYPE_CHECKING:
    import pandas as pd

    from dirconv.losses import Loss
    from dirconv.problems._options import Flowing

NUMERICS = 1
GOES_THROUGH = ("ensemble", "ensemble_map", "flow", "geometry", "losses", "point", "rates")
DESCENT = 0.02  # step size before ℒ < ℓ(0), in relative arc length


@dataclasses.dataclass(frozen=True)
class Kept:
    """One seed's path, and its directions θ at the k points where they were recorded."""

    path: pd.DataFrame
    at: pd.DataFrame  # snapshot, step, tau, ln_risk, norm: a row a kept point
    theta: Tensor  # (k, D)
    maps: EnsembleMap  # the seed's map, once for every kept point
    loss: Loss
    stop: str

    def to_ends(self, vectors: np.ndarray | None = None) -> dict[str, list[float]]:
        """Angles of the k rows of `vectors` (θ by default) to the first row and to the last."""
        vectors = self.theta.numpy() if vectors is None else vectors
        return {"to_start": angles(vectors, vectors[0]), "to_end": angles(vectors, vectors[-1])}

    def followed(self, **tables: pd.DataFrame) -> Followed:
        """The seed's answer: the table `path` and these."""
        return Followed({"path": self.path, **tables}, self.stop)


def run(
    spec: Flowing, margins: Callable[..., Tensor], data: tuple[np.ndarray | Tensor, ...], start: np.ndarray
) -> list[Kept]:
    """Follow the flow of every seed's `margins` (W (D,), *data of one seed) → (n,) from `start` (S, D).

    Each part of `data` is (S, …). `spec` is a problem's own: its degree, loss and flow options are used.
    """
    maps = EnsembleMap(margins, tuple(map(torch.as_tensor, data)), spec.degree)
    return follow(maps, losses.get(spec.loss), torch.from_numpy(start), spec)


def follow(maps: EnsembleMap, loss: Loss, start: Tensor, options: Flowing) -> list[Kept]:
    """Follow every seed's flow from `start` (S, D) to ℒ < ℓ(0), where τ = 0, and from there to `options.tau`."""
    torch.set_num_threads(1)
    weights, _ = ensemble.descend(maps, loss, start, DESCENT, options.descent)
    paths = ensemble.follow(
        maps,
        loss,
        weights,
        Stop(tau=options.tau, steps=100_000),
        method="rk4" if loss.name == "polynomial" else "proximal",
        tolerance=options.tolerance,
        land=options.land,
    )
    runs = []
    for seed, path in enumerate(paths):
        at = path.steps.loc[path.kept, ["step", "tau", "ln_risk", "norm"]].reset_index(drop=True)
        at.insert(0, "snapshot", np.arange(len(at)))
        repeated = maps.of(torch.full((len(at),), seed, dtype=torch.int64))
        runs.append(Kept(path.steps, at, path.weights, repeated, loss, str(path.stop)))
    return runs


def decomposition(kept: Kept) -> pd.DataFrame:
    """The table `decomposition` at every kept point with ℒ < ℓ(0); see `dirconv.measures.decomposition`."""
    import pandas as pd

    loss = kept.loss
    weights = kept.theta * torch.tensor(kept.at["norm"].to_numpy())[:, None]
    margins = kept.maps.values(weights)
    velocity = kept.maps.pullback(weights, ensemble.softmin(loss, margins))
    speeds = kept.maps.rates(weights, velocity)
    parts = []
    for i, row in enumerate(kept.at.itertuples(index=False)):
        if not row.ln_risk < loss.ln_at_zero:
            continue
        blur = ROUNDING_DOUBLE * float(margins[i].min().abs())
        rows = rates.decompose(loss, kept.maps.degree, weights[i], margins[i, :, None], velocity[i], speeds[i, :, None])
        parts += [{**row._asdict(), "resolution": blur, **sides} for sides in rows]
    columns = [*kept.at.columns, "resolution", "quantity", "left", "radial", "spherical", "difference"]
    return pd.DataFrame(parts, columns=columns)
