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

    from dirconv.flow import Step
    from dirconv.losses import Loss
    from dirconv.margins.function import FunctionMap
    from dirconv.problems._flows import Kept

NUMERICS = 2
GOES_THROUGH = ("geometry", "losses", "robustness", "small_flows", "small_networks")
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
    loss: _dense.LossName = "exponential"
    attack: bool = False


def follow(spec: Spec, seeds: list[int]) -> list[Followed]:
    """See `dirconv.problems`."""
    from dirconv.problems import _flows

    images, starts = _dense.images(spec, seeds), _dense.start(spec, seeds)
    followed = []
    for i, start in enumerate(starts):
        data = images.of(i)
        margin_map, loss = _dense.margin_map(spec, data, spec.loss)
        first, rows = descend(margin_map, loss, start, spec.descent)
        kept = _flows.follow(margin_map, loss, first, spec)
        tables = {"limit": _limit(spec, kept, data), "generalization": _generalization(spec, kept, data)}
        followed.append(kept.followed(start=rows, **tables))
    return followed


def descend(margin_map: FunctionMap, loss: Loss, weights: Tensor, most: int) -> tuple[Tensor, list[dict[str, Any]]]:
    """Follow the flow from `weights` (D,) until ℒ < ℓ(0), for at most `most` steps.

    Returns the weights there, (D,), and the rows of the table `start`.
    """
    from dirconv.problems import _flows

    steps = []
    for last in _flows.descend(margin_map, loss, weights, most):
        if last.state.step % EVERY == 0:
            steps.append(last)
    if steps[-1] is not last:
        steps.append(last)
    return last.state.weights, _start(margin_map, loss, steps)


def _start(margin_map: FunctionMap, loss: Loss, steps: list[Step]) -> list[dict[str, Any]]:
    import torch

    from dirconv.margins import error_rate
    from dirconv.problems import _flows

    rows: list[dict[str, Any]] = []
    time = before = 0.0  # before: dt/ds of the mean loss at the last row
    for step in steps:
        margins, pullback = margin_map.linearize(step.state.weights)
        ln_slope = float(torch.logsumexp(loss.ln_slopes(margins), 0))
        speed = float(pullback(loss.weights(margins)).norm()) * math.exp(ln_slope) / len(margins)
        arc, slowness = _flows.DESCENT * step.state.step, step.norm / speed if speed > 0 else math.inf
        if rows:
            time += (arc - rows[-1]["arc"]) * (slowness + before) / 2
        before = slowness
        rows.append(
            {
                "step": step.state.step,
                "arc": arc,
                "time": time,
                "ln_risk": step.ln_risk,
                "norm": step.norm,
                "smoothed_margin": step.unnormalised_margin / step.norm**margin_map.degree,
                "train_error": error_rate(margins),
                "below": step.ln_risk < loss.ln_at_zero,
            }
        )
    return rows


def _limit(spec: Spec, kept: Kept, data: _dense.Data) -> pd.DataFrame:
    import torch

    margins, tau, ln_norm = kept.margins(), kept.at["tau"].to_numpy(), np.log(kept.at["norm"].to_numpy())
    pull = []  # ln Σ |ℓ′(s p)| s p
    for p, ln_scale in zip(margins, kept.ln_scales, strict=True):
        parts = kept.loss.ln_slopes(p[:, None], ln_scale)[:, 0] + p.clamp(min=1e-300).log()
        pull.append(float(torch.logsumexp(parts, 0)) + ln_scale)
    flips, returns = _flips(spec, kept, data)
    return kept.at.assign(
        ln_time=ln_times(tau, 2 * ln_norm - math.log(spec.degree) - np.array(pull)),
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
        ln_risk = float(kept.loss.ln_risk(in_loss[:, None], kept.ln_scales[row.snapshot]))
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
