r"""Gradient flow to its limit, of networks with kinks, past what float64 can tell apart.

The flow in the clock τ = ln‖W‖ is dθ/dτ ∈ F(θ) = (I − θθᵀ) v/⟨θ, v⟩, v = Σ q_i g_i, with g_i in Clarke's
subdifferential of the margin p_i at θ = W/‖W‖ and q the softmin weights at the temperature T = 1/s, s = ‖W‖^L. A step
solves

    x⁺ = x̄ + κ Σ_i q_i g_i,     g_i ∈ ∂p_i(x⁺),   q = softmin of p(x⁺)/T,     κ = β h/(L Σ q p(x⁺)),             (1)

which is a proximal step on the smooth minimum of the margins: x⁺ is stationary for

    softmin_T(p(x)) − ‖x − x̄‖²/(2κ).                                                                          (2)

(2) is solved by a bundle method (`dirconv.flow.proximal_step`): margins are modelled by tangents, taken where the step
is expected to end and at every trial point, several a margin where it has a kink there; a dual problem gives the
weights of all; the step stands when a further round would hardly move it. So the velocity (x⁺ − x̄)/κ combines gradients
from all sides of the kinks near the step's end. As steps get small it is the element of least norm of Clarke's
subdifferential there, also where the flow slides along kinks, and not the gradient of one side. Nothing is to be
declared about the map: where one gradient a margin explains the end of the step no further ones are taken, and the step
is of second order (BDF2, `dirconv.flow.backward`).

Everything is evaluated at unit norm, ln s apart. Where 1/s is below what float64 resolves, the smallest margin alone
decides: T = 0 in (2). The step's `temperature` says which.

A step is accepted on its local error, the distance to where the last points lead, and ends exactly at every
τ = 2^(k/m) − 1 and at the goal, so that chords between these points measure the path (docs/flow.md, section 9a).

Maps without a degree are followed in space, by arc length relative to ‖W‖, at T = 1.

Source: docs/flow.md, section 9b. Bundle methods: Kiwiel, Methods of Descent for Nondifferentiable Optimization, 1985;
for margins that are not concave: Hare & Sagastizábal, SIAM J. Optim. 20, 2010.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from dirconv.flow import State, Step
from dirconv.options import configurable, require_positive

if TYPE_CHECKING:
    from dirconv.losses import Loss
    from dirconv.margins import MarginMap

NUMERICS = 3
GOES_THROUGH = ("backward", "point", "proximal_step", "step_control")


@configurable
class Spec:
    """Options of the method."""

    method: Literal["bundle"] = "bundle"
    tolerance: float = 0.02  # of the direction at the end, in radians, where the map is smooth
    largest_step: float = 5.0  # in the clock
    land: int = 8  # points at which a step ends exactly, to each doubling of 1 + τ
    ends_at_goal = True  # `steps` takes the goal τ, and a step ends exactly there
    couples = True  # networks whose batch statistics couple the examples can be followed

    def __post_init__(self) -> None:
        require_positive(self, "tolerance", "largest_step", "land")


def steps(margin_map: MarginMap, loss: Loss, spec: Spec, state: State, *, goal: float = math.inf) -> Iterator[Step]:
    """The state itself, measured, and then every accepted step; the caller ends it. A step ends at the `goal` in τ."""
    from dirconv.flow.methods._bundle import Flow

    return Flow(margin_map, loss, spec, state, goal).steps()
