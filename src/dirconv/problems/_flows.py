"""From a problem's margins and start to its tables `path` and `decomposition`, all seeds as one ensemble."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from dirconv import losses
from dirconv.flow import ensemble, rates
from dirconv.flow.point import ROUNDING_DOUBLE
from dirconv.geometry import angles
from dirconv.goals import Stop
from dirconv.losses import Loss
from dirconv.margins.ensemble import EnsembleMap
from dirconv.problems import Followed
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

    def followed(self, **tables: Any) -> Followed:
        """The seed's answer: the table `path` and these, each given as a table, as its columns or as its rows."""
        return Followed({"path": self.path, **{name: pd.DataFrame(rows) for name, rows in tables.items()}}, self.stop)

    def decomposition(self) -> pd.DataFrame:
        """The table `decomposition` at every kept point with ℒ < ℓ(0); see `dirconv.measures.decomposition`."""
        weights = self.theta * torch.tensor(self.at["norm"].to_numpy())[:, None]
        margins = self.maps.values(weights)
        velocity = self.maps.pullback(weights, ensemble.softmin(self.loss, margins))
        speeds = self.maps.rates(weights, velocity)
        parts = []
        for row, w, p, v, rate in zip(self.at.to_dict("records"), weights, margins, velocity, speeds, strict=True):
            if row["ln_risk"] < self.loss.ln_at_zero:
                blur = {"resolution": ROUNDING_DOUBLE * float(p.min().abs())}
                sides = rates.decompose(self.loss, self.maps.degree, w, p[:, None], v, rate[:, None])
                parts += [{**row, **blur, **side} for side in sides]
        return pd.DataFrame(parts, columns=[*self.at.columns, "resolution", *rates.FIELDS])


def run(
    spec: Flowing, margins: Callable[..., Tensor], data: Sequence[tuple[np.ndarray, ...]], starts: list[np.ndarray]
) -> list[Kept]:
    """Follow the flow of every seed's `margins` (W (D,), *data of one seed) → (n,) from its start (D,).

    `spec` is a problem's: its degree, loss and flow options are used.
    """
    stacked = tuple(torch.from_numpy(np.stack(part)) for part in zip(*data, strict=True))
    maps = EnsembleMap(margins, stacked, spec.degree)
    return follow(maps, losses.get(spec.loss), torch.from_numpy(np.stack(starts)), spec)


def follow(maps: EnsembleMap, loss: Loss, start: Tensor, options: Flowing) -> list[Kept]:
    """Follow every seed's flow from `start` (S, D) to ℒ < ℓ(0), where τ = 0, and from there to `options.tau`."""
    torch.set_num_threads(1)
    weights, _ = ensemble.descend(maps, loss, start, DESCENT, options.descent)
    method = "rk4" if loss.name == "polynomial" else "proximal"
    stop = Stop(tau=options.tau, steps=100_000)
    flow = {"method": method, "tolerance": options.tolerance, "land": options.land}
    runs = []
    for seed, path in enumerate(ensemble.follow(maps, loss, weights, stop, **flow)):
        at = path.steps.loc[path.kept, ["step", "tau", "ln_risk", "norm"]].reset_index(drop=True)
        at.insert(0, "snapshot", np.arange(len(at)))
        repeated = maps.of(torch.full((len(at),), seed, dtype=torch.int64))
        runs.append(Kept(path.steps, at, path.weights, repeated, loss, str(path.stop)))
    return runs
