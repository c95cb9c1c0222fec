"""What a run says about its limit: the KKT certificate of its end, or of the KKT point that Newton leads to."""

from __future__ import annotations

import dataclasses

from torch import Tensor

from dirconv.errors import UserError
from dirconv.geometry import directions
from dirconv.kkt import resolved
from dirconv.kkt.polish import polish as polished
from dirconv.margins import MarginMap
from dirconv.own import _checks


@dataclasses.dataclass(frozen=True, repr=False)
class Limit:
    """A point θ̃ = θ/γ^(1/L) of the hard-margin problem min ½‖W‖², p_i(W) ≥ 1; ε and δ as `dirconv.kkt` defines them."""

    theta: Tensor  # θ (D,), a unit vector, float64
    multipliers: Tensor  # λ (n,), float64; for K classes an example's is the sum over the other classes
    support: Tensor  # the examples with a multiplier, (k,)
    epsilon: float  # ‖θ̃ − Σ λ_i ∇p_i(θ̃)‖
    epsilon_relative: float  # ε/‖θ̃‖
    delta: float  # max λ_i (p_i(θ̃) − 1)
    margin: float  # γ = min p(θ), so that ‖θ̃‖ = γ^(−1/L)
    radius: float  # how far from θ gradients were taken, radians, where it lies on kinks (`dirconv.kkt.resolved`)
    tau: float  # of the run's end
    distance: float  # angle between θ and the run's end in radians: 0 without `polish`

    def __repr__(self) -> str:
        numbers = ", ".join(f"{name} = {getattr(self, name):.3g}" for name in ("epsilon", "delta", "margin", "tau"))
        away = f", {self.distance:.3g} rad from the run's end" if self.distance else ""
        return f"<KKT: {numbers}{away}; {len(self.support)} of {len(self.multipliers)} examples with multipliers>"


def of(margin_map: MarginMap, weights: Tensor, tau: float, polish: bool) -> Limit:
    """See `dirconv.own.Run.kkt`."""
    if margin_map.degree is None:
        raise UserError("kkt: a network without a degree has no hard-margin problem; give follow its degree")
    theta = directions(weights)
    margin_map = _checks.comparable(margin_map)
    least = float(margin_map.precise().values(theta).min())
    if not least > 0:
        raise UserError(f"kkt: some training example is not classified, min p(θ) = {least:.3g}; follow it further")
    distance = 0.0
    if polish:
        found = polished(margin_map, theta)
        if not found.converged:
            raise UserError(
                f"polish: no KKT point was reached, the residual is {found.residuals[-1]:.2g} after "
                f"{len(found.residuals) - 1} steps, {found.distance:.2g} rad from the run's end; it takes a smooth "
                "network, and may take a longer run"
            )
        theta, certificate, distance = found.theta, found.certificate, found.distance
    else:
        certificate = resolved.certificate(margin_map, theta)
    return Limit(
        theta=theta,
        multipliers=certificate.per_example,
        support=certificate.support,
        epsilon=certificate.epsilon,
        epsilon_relative=certificate.epsilon_relative,
        delta=certificate.delta,
        margin=certificate.margin,
        radius=certificate.radius,
        tau=tau,
        distance=distance,
    )
