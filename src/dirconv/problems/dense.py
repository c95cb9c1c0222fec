r"""Fully connected networks on handwritten digits, from initialization to the limit: see `dirconv.problems._dense`.

Tables besides `path`:

`start`           from initialization to ℒ < ℓ(0), a row every few steps: relative arc length s (ds = ‖dW‖/‖W‖), flow
                  time t of the mean loss (steps of gradient descent times their size, while that is small), ln ℒ, norm,
                  ã, training error
`limit`           a row a kept point: ln of the time that gradient flow of ℒ has taken from ℒ = ℓ(0), angles to the
                  first and the last kept point, normalized margin, the share of (image, unit) pairs whose sign differs
                  from the last kept point's (`flips`), of those that thereby went back (`returns`), and `chords`: the
                  sum of the angles between kept points at τ's that are evenly spaced in ln τ (NaN at others). Steps
                  that chatter across a kink lengthen the path ζ at every step, the chords hardly
`generalization`  a row a kept point of at most `LOOKS`: errors, test loss, quantiles of the normalized test margins,
                  and where `attack` is set, L2 distances to the decision boundary of the first `ATTACKED` test images
                  among those classified rightly: an attack's (from above), the first-order estimate |f|/‖∇ₓf‖, and
                  |f|/∏‖W_k‖₂ (from below; where σ's Lipschitz constant is one)

dt/dτ = ‖W‖²/(L Σ |ℓ′(p_i)| p_i), integrated between kept points as an exponential, whose logarithm is linear.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import TYPE_CHECKING, Literal

import numpy as np

from dirconv.problems import Followed, _dense

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

    from dirconv.losses import Loss
    from dirconv.margins.ensemble import EnsembleMap
    from dirconv.problems._flows import Kept

TABLES = ("path", "start", "limit", "generalization")
EVERY = 5  # steps of the descent to ℒ < ℓ(0) between rows of `start`
LOOKS = 12  # rows of `generalization`
ATTACKED = 64
ATTACK_STEPS = 200
PER_DECADE = 12  # chords
QUANTILES = (5, 25, 50, 75, 95)  # per cent


@dataclasses.dataclass(frozen=True, kw_only=True)
class Spec(_dense.Network):
    """Options of the problem."""

    name: Literal["dense"] = "dense"
    land: float = 0.1
    loss: _dense.LossName = "exponential"
    attack: bool = False

    __pydantic_config__ = {"extra": "forbid", "strict": True}

    @property
    def degree(self) -> int:
        """L."""
        return _dense.degree(self, self.loss)


def follow(spec: Spec, seeds: list[int]) -> list[Followed]:
    """See `dirconv.problems`."""
    from dirconv.problems import _flows

    data = _dense.images(spec, seeds)
    maps, loss = _dense.margin_map(spec, data, spec.loss)
    first, starts = descend(maps, loss, _dense.start(spec, seeds), spec.descent)
    found = []
    for i, kept in enumerate(_flows.follow(maps, loss, first, spec)):
        one = _dense.Data(*(getattr(data, field.name)[i] for field in dataclasses.fields(data)))
        tables = {
            "path": kept.path,
            "start": starts[i],
            "limit": _limit(spec, kept, loss, one),
            "generalization": _generalization(spec, kept, loss, one),
        }
        found.append(Followed(tables, kept.stop))
    return found


def descend(maps: EnsembleMap, loss: Loss, weights: Tensor, most: int) -> tuple[Tensor, list[pd.DataFrame]]:
    """Follow the flow until ℒ < ℓ(0), or for `most` steps: weights (S, D), and each seed's table `start`."""
    import pandas as pd
    import torch

    from dirconv.flow import ensemble as _ensemble
    from dirconv.problems import _flows

    torch.set_num_threads(1)
    rows: list[list[dict[str, float]]] = [[] for _ in weights]
    inverse_speeds = [0.0] * len(weights)  # dt/ds of the mean loss
    open_ = list(range(len(weights)))
    taken = torch.zeros(len(weights), dtype=torch.int64)
    while open_:
        index = torch.tensor(open_)
        part, at = maps.of(index), weights[index]
        margins = part.values(at)
        ln_risk = _ensemble.ln_risk(loss, margins)
        ln_slope = torch.logsumexp(_ensemble.slopes(loss, margins), 1)
        speed = part.pullback(at, _ensemble.softmin(loss, margins)).norm(dim=1) * ln_slope.exp() / margins.shape[1]
        norm = at.norm(dim=1)
        still = []
        for j, seed in enumerate(open_):
            s = _flows.DESCENT * int(taken[seed])
            inverse_speed = float(norm[j] / speed[j])
            last = rows[seed][-1] if rows[seed] else {"arc": 0.0, "time": 0.0}
            time = last["time"] + (s - last["arc"]) * (inverse_speed + inverse_speeds[seed]) / 2
            inverse_speeds[seed] = inverse_speed
            below = float(ln_risk[j]) < loss.ln_at_zero
            rows[seed].append(
                {
                    "step": int(taken[seed]),
                    "arc": s,
                    "time": time if rows[seed] else 0.0,
                    "ln_risk": float(ln_risk[j]),
                    "norm": float(norm[j]),
                    "smoothed_margin": loss.inverse(float(ln_risk[j])) / float(norm[j]) ** maps.degree,
                    "train_error": float((margins[j] <= 0).double().mean()),
                    "below": below,
                }
            )
            moved = len(rows[seed]) < 2 or rows[seed][-2]["step"] < int(taken[seed])
            if not below and moved and int(taken[seed]) < most:
                still.append(seed)
        if not still:
            break
        index = torch.tensor(still)
        weights = weights.clone()
        weights[index], steps = _ensemble.descend(maps.of(index), loss, weights[index], _flows.DESCENT, EVERY)
        taken[index] += steps
        open_ = still
    return weights, [pd.DataFrame(part) for part in rows]


def _limit(spec: Spec, kept: Kept, loss: Loss, data: _dense.Data) -> pd.DataFrame:
    import torch

    from dirconv.problems._flows import angle

    theta = kept.theta.numpy()
    margins = kept.maps.values(kept.theta)
    tau, ln_norm = kept.at["tau"].to_numpy(), np.log(kept.at["norm"].to_numpy())
    p = margins * torch.from_numpy(np.exp(spec.degree * ln_norm))[:, None]
    slopes = loss.ln_slopes(p.reshape(-1, 1)).view_as(p)
    pull = torch.logsumexp(slopes + p.clamp(min=1e-300).log(), 1).numpy()
    flips, returns = _flips(spec, kept, data)
    return kept.at.assign(
        ln_time=ln_times(tau, 2 * ln_norm - math.log(spec.degree) - pull),
        to_start=[angle(one, theta[0]) for one in theta],
        to_end=[angle(one, theta[-1]) for one in theta],
        margin=margins.amin(1).numpy(),
        chords=chords(tau, theta),
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


def chords(tau: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """Summed angles between those of the directions θ (k, D) whose τ's are evenly spaced in ln τ; NaN at others."""
    from dirconv.problems._flows import angle

    found = np.full(len(tau), np.nan)
    positive = np.flatnonzero(tau > 0)
    if not len(positive):
        return found
    decades = math.log10(tau[-1] / tau[positive[0]])
    edges = tau[-1] * 10 ** (-np.arange(math.floor(PER_DECADE * decades + 1e-9), -1, -1) / PER_DECADE)
    chosen = np.unique([positive[np.abs(tau[positive] - edge).argmin()] for edge in edges])
    found[chosen] = np.cumsum([0.0, *(angle(theta[a], theta[b]) for a, b in itertools.pairwise(chosen))])
    return found


def _flips(spec: Spec, kept: Kept, data: _dense.Data) -> tuple[list[float], list[float]]:
    """Shares of (image, hidden unit) pairs; NaN where nothing came before."""
    import torch

    if spec.layers == 1:
        return [math.nan] * len(kept.theta), [math.nan] * len(kept.theta)
    signs = [torch.cat(_dense.hidden(spec, one, data.x)[:-1], 1) > 0 for one in kept.theta]
    flips, returns = [math.nan] * min(1, len(signs)), [math.nan] * min(2, len(signs))
    for i in range(1, len(signs)):
        changed = signs[i] != signs[i - 1]
        flips.append(float(changed.double().mean()))
        if i > 1:
            returns.append(float((changed & (signs[i] == signs[i - 2])).double().mean()))
    return flips, returns


def _generalization(spec: Spec, kept: Kept, loss: Loss, data: _dense.Data) -> pd.DataFrame:
    import pandas as pd

    chosen = np.unique(np.linspace(0, len(kept.at) - 1, LOOKS).round().astype(int))
    rows = [_tested(spec, kept, int(i), loss, data) for i in chosen]
    return pd.concat([kept.at.iloc[chosen].reset_index(drop=True), pd.DataFrame(rows)], axis=1)


def _tested(spec: Spec, kept: Kept, i: int, loss: Loss, data: _dense.Data) -> dict[str, float]:
    theta, norm = kept.theta[i], kept.at["norm"].iloc[i]
    trained = data.y * _dense.output(spec, theta, data.x)
    margins = data.y_test * _dense.output(spec, theta, data.x_test)  # at unit norm
    of_loss = margins**3 if spec.loss == "cubic" else margins
    ln_risk = float(loss.ln_risk((of_loss * norm**spec.degree)[:, None]))
    return {
        "below": bool(kept.at["ln_risk"].iloc[i] < loss.ln_at_zero),
        "train_error": float((trained <= 0).double().mean()),
        "test_error": float((margins <= 0).double().mean()),
        "ln_mean_test_loss": ln_risk - math.log(len(margins)),
        **{f"margin_q{q:02d}": float(margins.quantile(q / 100)) for q in QUANTILES},
        **_radii(spec, theta, margins, data),
    }


def _radii(spec: Spec, theta: Tensor, margins: Tensor, data: _dense.Data) -> dict[str, float]:
    """Quantiles of the distances to the decision boundary; none where no attack is asked for."""
    if not spec.attack:
        return {}
    import torch

    from dirconv.margins import robustness

    right = (margins > 0).nonzero().flatten()[:ATTACKED]
    x, labels = data.x_test[right], (data.y_test[right] > 0).long()

    def logits(at: Tensor) -> Tensor:
        f = _dense.output(spec, theta, at)
        return torch.stack([-f, f], 1) / 2

    attack = robustness.attacked(logits, x, labels, ATTACK_STEPS)
    linear = robustness.first_order(logits, x)
    lipschitz_one = spec.activation in ("linear", "relu", "leaky_relu")
    certified = robustness.certified(margins[right], _dense.layers(spec, theta)) if lipschitz_one else None
    return {
        **{f"radius_attack_q{q}": float(attack.quantile(q / 100)) for q in (25, 50, 75)},
        "radius_first_order_q50": float(linear.quantile(0.5)),
        "radius_certified_q50": math.nan if certified is None else float(certified.quantile(0.5)),
    }
