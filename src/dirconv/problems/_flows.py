"""What the problems that are followed as an ensemble share: from a start to the tables `path` and `decomposition`."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from dirconv import losses
from dirconv.flow import ensemble as _ensemble
from dirconv.flow import rates as _decomposition
from dirconv.flow.point import ROUNDING_DOUBLE
from dirconv.goals import Stop

if TYPE_CHECKING:
    import pandas as pd

    from dirconv.losses import Loss
    from dirconv.margins.ensemble import EnsembleMap
    from dirconv.problems._options import Flowing

DESCENT = 0.02  # relative arc length of a step before ℒ < ℓ(0)


@dataclasses.dataclass(frozen=True)
class Kept:
    """One seed's path and the directions that were kept of it."""

    path: pd.DataFrame
    at: pd.DataFrame  # snapshot, step, tau, ln_risk, norm of the kept points
    theta: Tensor  # (k, D)
    maps: EnsembleMap  # the seed's map, once for every kept point
    stop: str

    @property
    def weights(self) -> Tensor:
        """W at the kept points, (k, D)."""
        return self.theta * torch.tensor(self.at["norm"].to_numpy())[:, None]


def follow(maps: EnsembleMap, loss: Loss, start: Tensor, options: Flowing) -> list[Kept]:
    """Follow every seed's flow from `start` (S, D): down to ℒ < ℓ(0), and from there to the goal."""
    torch.set_num_threads(1)
    weights, _ = _ensemble.descend(maps, loss, start, DESCENT, options.descent)
    paths = _ensemble.follow(
        maps,
        loss,
        weights,
        Stop(tau=options.tau, steps=100_000),
        method="rk4" if loss.name == losses.Polynomial.name else "proximal",
        tolerance=options.tolerance,
        land=options.land,
    )
    found = []
    for seed, path in enumerate(paths):
        at = path.steps.loc[path.kept, ["step", "tau", "ln_risk", "norm"]].reset_index(drop=True)
        at.insert(0, "snapshot", np.arange(len(at)))
        many = maps.of(torch.full((len(at),), seed, dtype=torch.int64))
        found.append(Kept(path.steps, at, path.weights, many, str(path.stop)))
    return found


def decomposition(kept: Kept, loss: Loss) -> pd.DataFrame:
    """The table `decomposition`: see `dirconv.measures.decomposition`, here at every kept point."""
    import pandas as pd

    weights = kept.weights
    margins = kept.maps.values(weights)
    velocity = kept.maps.pullback(weights, _ensemble.softmin(loss, margins))
    rates = kept.maps.rates(weights, velocity)
    parts = []
    for i, row in enumerate(kept.at.itertuples(index=False)):
        if not row.ln_risk < loss.ln_at_zero:
            continue
        blur = ROUNDING_DOUBLE * float(margins[i].min().abs())
        rows = _decomposition.decompose(
            loss, kept.maps.degree, weights[i], margins[i, :, None], velocity[i], rates[i, :, None]
        )
        parts += [{**row._asdict(), "resolution": blur, **one} for one in rows]
    columns = [*kept.at.columns, "resolution", "quantity", "left", "radial", "spherical", "difference"]
    return pd.DataFrame(parts, columns=columns)


def normal(seed: int, *shapes: tuple[int, int]) -> list[np.ndarray]:
    """Matrices of independent N(0, 1/fan_in) entries, drawn with `seed`."""
    random = np.random.default_rng((seed, 1))
    return [random.normal(size=shape) / math.sqrt(shape[1]) for shape in shapes]


def angle(first: np.ndarray, second: np.ndarray) -> float:
    """Between two vectors, in radians; accurate where it is small."""
    chord = np.linalg.norm(first / np.linalg.norm(first) - second / np.linalg.norm(second))
    return 2 * math.asin(min(chord / 2, 1.0))
