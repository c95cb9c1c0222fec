r"""Gradient flow to its limit: the velocities of a nearby point, softmin weights solved at the end of the step.

The flow is ẋ = F(x, q(x)). F varies slowly with x; all stiffness, which grows like ln(1/ℒ), is in the softmin weights
q. So a step takes the Jacobian's rows at a predicted point x̂ and q at its end, by the two-step backward formula (BDF2,
L-stable, of second order; x̂ extrapolates two points, ω is the ratio of step sizes h/h₋):

    x⁺ = [(1+ω)² x − ω² x₋ + h (1+ω) F(x̂, q⁺)] / (1+2ω),     q⁺ = softmin(p(x⁺)),     x̂ = x + ω (x − x₋).

=====================  ============================================  =======================================
map                    homogeneous, degree L                         any other
=====================  ============================================  =======================================
x                      direction θ = W/‖W‖                            W itself
clock                  τ = ln ‖W‖                                     arc length relative to ‖W‖
F(x, q), v = Σ q ∇p    (I − θθᵀ) v/⟨θ, v⟩,  ⟨θ, v⟩ = L Σ q p(θ)        ‖W‖ v/‖v‖
=====================  ============================================  =======================================

q⁺ solves an equation in the space of examples: n numbers, however many weights there are. A corrector finds it. At the
current x⁺ the margins are computed again. Their change with q is A ∝ h K, where K is the Gram matrix of the gradients
(on the sphere without its radial part), and `dirconv.flow.dual` solves q = softmax(a + A q₀ − A q) for the slopes
a = ln(−ℓ') at q₀. This is a Newton method whose matrix may be old: K is kept from step to step as long as the corrector
converges with it. Only the rows at x̂, for products Jᵀq, are always new.

A step is accepted on its local error alone, estimated from the distance to the parabola through the last three points
(in the first step: from half the displacement). A tolerance ε bounds it by ε^(3/2) relative to ‖W‖, so that the error
of a direction at the end is proportional to ε where the map is smooth. Nothing is asked of the risk or of the margin.

Only examples whose margin is near the smallest take part. After every step all margins are checked: if examples that
were left out would carry weight, they are included and the step is repeated. So `slack` decides what a step costs, and
not what it may leave out.

Source: docs/flow.md derives all of it; BDF2 with varying steps: Hairer, Nørsett & Wanner, Solving ODEs I, III.5.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from dirconv.flow import State, Step
from dirconv.options import configurable, require_positive

if TYPE_CHECKING:
    from dirconv.losses import Loss
    from dirconv.margins import MarginMap

NUMERICS = 1
GOES_THROUGH = ("dual", "point", "step_control")


@configurable
class Spec:
    """Options of the method."""

    method: Literal["proximal"] = "proximal"
    couples = False  # its corrector asks for the margins of some examples apart
    tolerance: float = 0.05  # of the direction at the end, in radians, where the map is smooth
    largest_step: float = 0.2  # in the clock
    land: float = 0.25  # a step ends exactly at every multiple of this τ, where runs can be compared
    slack: float | None = None  # examples with p ≤ (1 + slack) min p take part; None: 0.5

    def __post_init__(self) -> None:
        require_positive(self, "tolerance", "largest_step", "land")
        if self.slack is not None:
            require_positive(self, "slack")


def steps(margin_map: MarginMap, loss: Loss, spec: Spec, state: State) -> Iterator[Step]:
    """The state itself, measured, and then every accepted step; the caller ends it."""
    from dirconv.flow.methods._proximal import Flow

    return Flow(margin_map, loss, spec, state).steps()
