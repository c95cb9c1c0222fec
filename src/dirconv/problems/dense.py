r"""Fully connected networks on handwritten digits, from initialization to the limit: see `dirconv.problems._dense`.

Tables besides `path`:

`start`           from initialization to ℒ < ℓ(0), a row every few steps: relative arc length s (ds = ‖dW‖/‖W‖), flow
                  time t of the mean loss (for small steps: the number of gradient descent steps times their size),
                  ln ℒ, norm, ã, training error
`limit`           a row a kept point: ln of the time that gradient flow of ℒ takes from ℒ = ℓ(0), angles to the first
                  and the last kept point, normalized margin; `flips`, the share of (image, unit) pairs whose sign
                  changed since the previous kept point; `returns`, the share that thereby changed back; `chords`, see
                  `dirconv.geometry.chords`
`generalization`  a row a kept point, at most `EVALUATED` of them: errors, test loss, quantiles of the normalized test
                  margins, and with `attack` the L2 distances to the decision boundary of the first `ATTACKED`
                  correctly classified test images: an attack's (an upper bound), the first-order estimate |f|/‖∇ₓf‖,
                  and |f|/∏‖W_k‖₂ (a lower bound, where σ has Lipschitz constant one)

dt/dτ = ‖W‖²/(L Σ |ℓ′(p_i)| p_i), integrated between kept points as an exponential, whose logarithm is linear.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dirconv.geometry import chords
from dirconv.options import configurable
from dirconv.problems import Followed, _dense

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

    from dirconv.losses import Loss
    from dirconv.margins.ensemble import EnsembleMap
    from dirconv.problems._flows import Kept

NUMERICS = 1
GOES_THROUGH = ("ensemble", "geometry", "robustness", "small_flows", "small_networks")
TABLES = ("path", "start", "limit", "generalization")
EVERY = 5  # steps between rows of `start`
EVALUATED = 12  # rows of `generalization`
ATTACKED = 64
ATTACK_STEPS = 200
QUANTILES = (5, 25, 50, 75, 95)  # per cent


@configurable
class Spec(_dense.Network):
    """Options of the problem."""

    name: Literal["dense"] = "dense"
    land: float = 0.1
    loss: _dense.LossName = "exponential"
    attack: bool = False


def follow(spec: Spec, seeds: list[int]) -> list[Followed]:
    """See `dirconv.problems`."""
    from dirconv.problems import _flows

    data = _dense.images(spec, seeds)
    maps, loss = _dense.margin_map(spec, data, spec.loss)
    first, starts = descend(maps, loss, _dense.start(spec, seeds), spec.descent)
    return [
        kept.followed(
            start=starts[i],
            limit=_limit(spec, kept, data.of(i)),
            generalization=_generalization(spec, kept, data.of(i)),
        )
        for i, kept in enumerate(_flows.follow(maps, loss, first, spec))
    ]


def descend(maps: EnsembleMap, loss: Loss, weights: Tensor, most: int) -> tuple[Tensor, list[list[dict[str, Any]]]]:
    """Follow the flow from `weights` (S, D) until ℒ < ℓ(0), for at most `most` steps.

    Returns the weights there, (S, D), and the rows of each seed's table `start`.
    """
    import torch

    from dirconv.flow import ensemble
    from dirconv.problems import _flows

    torch.set_num_threads(1)
    rows: list[list[dict[str, Any]]] = [[] for _ in weights]
    inverse_speeds = [0.0] * len(weights)  # dt/ds of the mean loss
    index = torch.arange(len(weights))  # of the seeds that still descend
    taken = torch.zeros_like(index)
    while len(index):
        part, at = maps.of(index), weights[index]
        margins = part.values(at)
        ln_risk = ensemble.ln_risk(loss, margins)
        ln_slope = torch.logsumexp(ensemble.slopes(loss, margins), 1)
        speed = part.pullback(at, ensemble.softmin(loss, margins)).norm(dim=1) * ln_slope.exp() / margins.shape[1]
        norm = at.norm(dim=1)
        still = []
        for j, seed in enumerate(index.tolist()):
            step, s, time = int(taken[seed]), _flows.DESCENT * int(taken[seed]), 0.0
            last = rows[seed][-1] if rows[seed] else None
            inverse_speed = float(norm[j] / speed[j])
            if last is not None:
                time = last["time"] + (s - last["arc"]) * (inverse_speed + inverse_speeds[seed]) / 2
            inverse_speeds[seed] = inverse_speed
            below = float(ln_risk[j]) < loss.ln_at_zero
            rows[seed].append(
                {
                    "step": step,
                    "arc": s,
                    "time": time,
                    "ln_risk": float(ln_risk[j]),
                    "norm": float(norm[j]),
                    "smoothed_margin": loss.inverse(float(ln_risk[j])) / float(norm[j]) ** maps.degree,
                    "train_error": float((margins[j] <= 0).double().mean()),
                    "below": below,
                }
            )
            if not below and (last is None or last["step"] < step) and step < most:
                still.append(seed)
        index, weights = torch.tensor(still, dtype=torch.int64), weights.clone()
        if len(index):
            weights[index], steps = ensemble.descend(maps.of(index), loss, weights[index], _flows.DESCENT, EVERY)
            taken[index] += steps
    return weights, rows


def _limit(spec: Spec, kept: Kept, data: _dense.Data) -> pd.DataFrame:
    import torch

    margins = kept.maps.values(kept.theta)
    tau, ln_norm = kept.at["tau"].to_numpy(), np.log(kept.at["norm"].to_numpy())
    p = margins * torch.from_numpy(np.exp(spec.degree * ln_norm))[:, None]
    slopes = kept.loss.ln_slopes(p.reshape(-1, 1)).view_as(p)
    pull = torch.logsumexp(slopes + p.clamp(min=1e-300).log(), 1).numpy()
    flips, returns = _flips(spec, kept, data)
    return kept.at.assign(
        ln_time=ln_times(tau, 2 * ln_norm - math.log(spec.degree) - pull),
        **kept.to_ends(),
        margin=margins.amin(1).numpy(),
        chords=chords(tau, kept.theta.numpy()),
        flips=flips,
        returns=returns,
    )


def ln_times(tau: np.ndarray, ln_rate: np.ndarray) -> np.ndarray:
    """ln ∫ e^(ln_rate) dτ from the first τ on, ln_rate being linear between the points; −∞ at the first."""
    step = np.diff(tau)
    rise = np.diff(ln_rate)
    # ∫ = Δτ (e^b − e^a)/(b − a), as e^max · Δτ (1 − e^(−|rise|))/|rise|
    size = np.abs(rise)
    mean = np.where(size > 1e-9, -np.expm1(-size) / np.maximum(size, 1e-9), 1.0)
    pieces = np.maximum(ln_rate[1:], ln_rate[:-1]) + np.log(step * mean)
    return np.r_[-np.inf, np.logaddexp.accumulate(pieces)] if len(pieces) else np.array([-np.inf])


def _flips(spec: Spec, kept: Kept, data: _dense.Data) -> tuple[list[float], list[float]]:
    """`flips` and `returns` at every kept point; NaN where there is no earlier one to compare with."""
    import torch

    flips, returns = [math.nan] * len(kept.theta), [math.nan] * len(kept.theta)
    if spec.layers == 1:
        return flips, returns
    signs = [torch.cat(_dense.hidden(spec, theta, data.x)[:-1], 1) > 0 for theta in kept.theta]
    for i in range(1, len(signs)):
        changed = signs[i] != signs[i - 1]
        flips[i] = float(changed.double().mean())
        if i > 1:
            returns[i] = float((changed & (signs[i] == signs[i - 2])).double().mean())
    return flips, returns


def _generalization(spec: Spec, kept: Kept, data: _dense.Data) -> pd.DataFrame:
    import pandas as pd

    chosen = np.unique(np.linspace(0, len(kept.at) - 1, EVALUATED).round().astype(int))
    at, rows = kept.at.iloc[chosen].reset_index(drop=True), []
    for row in at.itertuples(index=False):
        theta = kept.theta[row.snapshot]
        trained = data.y * _dense.output(spec, theta, data.x)
        margins = data.y_test * _dense.output(spec, theta, data.x_test)  # at unit norm
        in_loss = margins**3 if spec.loss == "cubic" else margins
        ln_risk = float(kept.loss.ln_risk((in_loss * row.norm**spec.degree)[:, None]))
        rows.append(
            {
                "below": row.ln_risk < kept.loss.ln_at_zero,
                "train_error": float((trained <= 0).double().mean()),
                "test_error": float((margins <= 0).double().mean()),
                "ln_mean_test_loss": ln_risk - math.log(len(margins)),
                **{f"margin_q{q:02d}": float(margins.quantile(q / 100)) for q in QUANTILES},
                **_radii(spec, theta, margins, data),
            }
        )
    return pd.concat([at, pd.DataFrame(rows)], axis=1)


def _radii(spec: Spec, theta: Tensor, margins: Tensor, data: _dense.Data) -> dict[str, float]:
    """`robustness.radii` of the test images that are attacked; empty without `attack`."""
    if not spec.attack:
        return {}
    import torch

    from dirconv.margins import robustness

    right = (margins > 0).nonzero().flatten()[:ATTACKED]
    x, labels = data.x_test[right], (data.y_test[right] > 0).long()

    def logits(at: Tensor) -> Tensor:
        f = _dense.output(spec, theta, at)
        return torch.stack([-f, f], 1) / 2

    lipschitz_one = spec.activation in ("linear", "relu", "leaky_relu")
    bounds = robustness.certified(margins[right], _dense.layers(spec.shapes, theta)) if lipschitz_one else None
    return robustness.radii(logits, x, labels, ATTACK_STEPS, bounds)
