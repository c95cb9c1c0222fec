r"""The Mexican hat: smooth and homogeneous but not definable; its direction circles for ever.

    f(r, φ) = e^(−R) [1 − C sin(φ − R)],     R = 1/(1 − r²),     C = 4r⁴/(4r⁴ + R⁻⁴)     (r < 1; f = 0 beyond)

lifted to h(u, v, z) = ρ^L (1 − f(u/ρ, v/ρ)), ρ² = u² + v² + z², one margin, exponential loss. On the sphere, whose
metric is dr²/(1 − r²) + r² dφ², the flow in τ = ln ρ descends f: θ' = −∇f/(L (1 − f)). A start on the
spiral φ = R leaves it; the attractor is the valley φ = R + π/2, which circles as r → 1. There the path's length,
∫ tan ∠ dτ, is infinite while ∫ tan² ∠ dτ is finite and tan ∠ → 0: the direction does not converge, the gradient aligns.

Followed in arc length ζ with R and δ = φ − R − π/2, which is of the size of R⁻⁴ (η = δ R⁴ is integrated). With
g = e^R f = (1 − C) + 2C sin²(δ/2), G = g + C' cos δ + C sin δ and S² = 4r²R³G² + C² sin²δ/r²,

    dR/dζ = 4r²R³ G/S,     dφ/dζ = −C sin δ/(r² S),     tan ∠ = dζ/dτ = e^(−R) S/(L (1 − f)),

and τ = e^R w with dw/dζ = L (1 − f)/S − w dR/dζ. No factor e^(−R) is left where it could underflow.

Tables besides `path`: `spiral` (a row a recorded point: R, φ, u, v, ∫ tan² ∠ dτ). In `path`, `evaluations` and
`jacobians` are the solver's over the whole run, `error` is the tolerance asked of it, `step_size` the spacing in τ.

Source: Lyu & Li 2020, appendix, after Absil, Mahony & Andrews 2005.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import numpy as np

from dirconv.options import configurable, require_positive
from dirconv.problems import Followed

NUMERICS = 1
TABLES = ("path", "spiral")
MOST_TURNS = 100


@configurable
class Spec:
    """Options of the problem."""

    name: Literal["mexican_hat"] = "mexican_hat"
    degree: int = 2  # L
    turns: float = 4.0  # of φ
    tolerance: float = 1e-10  # of the solver, relative
    points: int = 400  # recorded, evenly in ζ
    loss: Literal["exponential"] = "exponential"
    data: ClassVar[str] = "none: one margin, the map itself"

    def __post_init__(self) -> None:
        require_positive(self, "degree", "turns", "tolerance", "points")
        if self.turns > MOST_TURNS:
            raise ValueError(f"turns: at most {MOST_TURNS}, beyond which τ overflows float64, got {self.turns}")


def slope(spec: Spec, big_r: np.ndarray, delta: np.ndarray) -> tuple[np.ndarray, ...]:
    """r², G, C sin δ, S, 1 − f and tan ∠ at R and δ."""
    square = 1 - 1 / big_r
    a, b = 4 * square**2, big_r**-4.0
    c, rest = a / (a + b), b / (a + b)
    derivative = (8 * square / big_r**2 * b + 4 * a * big_r**-5.0) / (a + b) ** 2  # C'(R)
    g = rest + 2 * c * np.sin(delta / 2) ** 2
    turn = c * np.sin(delta)
    rise = g + derivative * np.cos(delta) + turn
    s = np.sqrt(4 * square * big_r**3 * rise**2 + turn**2 / square)
    height = 1 - np.exp(-big_r) * g
    return square, rise, turn, s, height, np.exp(-big_r) * s / (spec.degree * height)


def rates(spec: Spec, state: np.ndarray) -> np.ndarray:
    """d/dζ of (R, η, w, ∫ tan² dτ); state (4,) or (4, k)."""
    big_r, eta, w, _ = state
    square, rise, turn, s, height, tan = slope(spec, big_r, eta / big_r**4)
    d_r = 4 * square * big_r**3 * rise / s
    d_phi = -turn / (square * s)
    d_w = spec.degree * height / s - w * d_r
    return np.stack([d_r, big_r**4 * (d_phi - d_r) + 4 * eta / big_r * d_r, d_w, tan])


def follow(spec: Spec, seeds: list[int]) -> list[Followed]:
    """See `dirconv.problems`; a seed draws the start's R and its distance δ from the valley."""
    return [_follow(spec, seed) for seed in seeds]


def _follow(spec: Spec, seed: int) -> Followed:
    import pandas as pd
    from scipy.integrate import solve_ivp

    random = np.random.default_rng((seed, 1))
    big_r, delta = random.uniform(2.5, 4.0), random.uniform(-0.3, 0.3)
    start = [big_r, delta * big_r**4, 0.0, 0.0]
    first = big_r + delta

    def around(_: float, state: np.ndarray) -> float:
        turned = state[0] + state[1] / state[0] ** 4 - first  # φ since the start
        return float(turned) - 2 * math.pi * spec.turns

    around.terminal = True
    with np.errstate(over="ignore"):  # overflows in SciPy's search for finite-difference steps do no harm
        solution = solve_ivp(
            lambda _, state: rates(spec, state),
            (0.0, 4 * math.pi * spec.turns + 10),
            start,
            method="Radau",
            rtol=spec.tolerance,
            atol=spec.tolerance * np.array([1.0, 1.0, 1.0, 1e-6]),
            dense_output=True,
            events=around,
        )
    zeta = np.linspace(0.0, solution.t[-1], spec.points + 1)
    big_r, eta, w, integral = solution.sol(zeta)
    w[0] = 0.0
    square, _, _, _, height, tan = slope(spec, big_r, eta / big_r**4)
    tau = np.maximum.accumulate(np.exp(big_r) * w)
    with np.errstate(over="ignore"):
        norm = np.exp(tau)
        margin = np.exp(spec.degree * tau) * height
    path = pd.DataFrame(
        {
            "step": np.arange(len(zeta)),
            "tau": tau,
            "evaluations": solution.nfev,
            "jacobians": solution.njev,
            "zeta": zeta,
            "tan": tan,
            "smoothed_margin": height,
            "below": True,
            "ln_risk": -margin,
            "norm": norm,
            "cos": 1 / np.sqrt(1 + tan**2),
            "cos_point": 1 / np.sqrt(1 + tan**2),
            "unnormalised_margin": margin,
            "smallest_margin": margin,
            "effective_examples": 1.0,
            "step_size": np.diff(tau, prepend=0.0),
            "error": spec.tolerance,
            "rejected": 0,
            "resolution": 0.0,
            "landed": False,
        }
    )
    phi = big_r + eta / big_r**4 + math.pi / 2
    u, v = np.sqrt(square) * np.cos(phi), np.sqrt(square) * np.sin(phi)
    spiral = {"tau": tau, "zeta": zeta, "R": big_r, "phi": phi, "u": u, "v": v, "squares": integral}
    finished = len(solution.t_events[0]) > 0
    return Followed({"path": path, "spiral": pd.DataFrame(spiral)}, "steps" if finished else "step_underflow")
