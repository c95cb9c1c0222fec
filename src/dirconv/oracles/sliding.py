r"""Gradient flow of small piecewise linear and piecewise quadratic margins, kinks included, in closed form.

A two-layer network on one example is ½ WᵀHW wherever no unit switches, H symmetric, and its flow dW/dt = H W there.
A kink lies on a hyperplane ⟨c, W⟩ = 0, such as ⟨w, x⟩ = 0. Where the gradients of both sides point at it, the flow
stays on it, and its velocity is the least-norm element of the segment between them: the tangential part that they
share, H W without its component along c. So a stretch of the path, a *phase*, is

    dW/dt = H W + g,     W(t) = exp(Ht) W(0) + ∫₀ᵗ exp(Hr) dr g,                                          (1)

with H projected on what is held (degree two, g = 0), or with H = 0 and g the least-norm element of the convex hull of
the active gradients (degree one). Each phase ends on a hyperplane: at a kink or, when one is released, where the
gradient of one side is tangential, ⟨c, H W⟩ = 0. Only those times, and t(τ), are found by iteration.

A single example has the weight one: the paths are those of any loss. With several, a path is that of the smallest
margin alone, ‖W‖ → ∞.

Source: Filippov, *Differential Equations with Discontinuous Righthand Sides*, 1988, for sliding; docs/flow.md, (9.1).
"""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

from dirconv.oracles import hard_margin

NUMERICS = 1
GOES_THROUGH = ("hard_margin",)
PANEL, NODES = 0.5, 16  # of Gauss and Legendre's rule: the longest panel, in τ, and points on each
SCAN = 0.01  # a phase's end is looked for in steps of this share of ‖W‖/‖dW/dt‖
LONGEST = 2_000  # such steps, at most


@dataclasses.dataclass(frozen=True)
class Phase:
    """A stretch of (1): `matrix` H (D, D), symmetric; `drift` g (D,); `until` c (D,) its end, None for the last."""

    matrix: np.ndarray
    drift: np.ndarray
    until: np.ndarray | None = None


class Path:
    """The path from W₀ = `start` (D,) through its phases. τ = ln(‖W‖/‖W₀‖), in nats.

    ArithmeticError if a phase does not end.
    """

    def __init__(self, start: np.ndarray, phases: list[Phase]) -> None:
        self._norm = float(np.linalg.norm(start))
        self._pieces: list[_Piece] = []
        self.begins: list[float] = []  # the τ at which each phase begins
        for phase in phases:
            self._pieces.append(_Piece(np.asarray(start, dtype=np.float64), phase))
            self.begins.append(self._tau(start))
            start = self._pieces[-1].weights(self._pieces[-1].end)

    def weights(self, tau: float) -> np.ndarray:
        """W (D,) at τ."""
        piece, t = self._at(tau)
        return piece.weights(t)

    def velocity(self, tau: float) -> np.ndarray:
        """dW/dt (D,) at τ: the least-norm element of Clarke's subdifferential, after the jump where there is one."""
        piece, t = self._at(tau)
        return piece.velocity(t)

    def cos(self, tau: float) -> float:
        """cos ∠(W, dW/dt) at τ."""
        w, v = self.weights(tau), self.velocity(tau)
        return float(w @ v / (np.linalg.norm(w) * np.linalg.norm(v)))

    def zeta(self, tau: float) -> float:
        """ζ = ∫ tan ∠ dτ from 0 to τ, the length of the path of W/‖W‖ in radians: by Gauss and Legendre's rule."""
        nodes, weights = np.polynomial.legendre.leggauss(NODES)
        ends = [*(begin for begin in self.begins if begin < tau), tau]
        total = 0.0
        for start, end in itertools.pairwise(ends):
            edges = np.linspace(start, end, 1 + int(np.ceil((end - start) / PANEL)))
            for low, high in itertools.pairwise(edges):
                tan = [self._tan(low + (high - low) * (node + 1) / 2) for node in nodes]
                total += float(weights @ tan) * (high - low) / 2
        return total

    def _tan(self, tau: float) -> float:
        w, v = self.weights(tau), self.velocity(tau)
        radial = w * (w @ v) / (w @ w)
        return float(np.linalg.norm(v - radial) / np.linalg.norm(radial))

    def _tau(self, w: np.ndarray) -> float:
        return float(np.log(np.linalg.norm(w) / self._norm))

    def _at(self, tau: float) -> tuple[_Piece, float]:
        """The piece that τ lies in, and the time in it."""
        from scipy.optimize import brentq

        k = max(int(np.searchsorted(self.begins, tau, side="right")) - 1, 0)
        piece = self._pieces[k]
        end = piece.end
        if not np.isfinite(end):
            end = piece.scale
            while self._tau(piece.weights(end)) < tau:
                end *= 2
        if tau <= self.begins[k]:
            return piece, 0.0
        inside = brentq(lambda t: self._tau(piece.weights(t)) - tau, 0.0, end * (1 + 1e-9), xtol=1e-300, rtol=1e-15)
        return piece, inside


class _Piece:
    """A phase from where it begins; `end` is its duration, infinite for the last."""

    def __init__(self, start: np.ndarray, phase: Phase) -> None:
        self._rates, self._basis = np.linalg.eigh(phase.matrix)
        self._start, self._drift = self._basis.T @ start, self._basis.T @ phase.drift
        self._phase = phase
        self.scale = SCAN * float(np.linalg.norm(start) / np.linalg.norm(self.velocity(0.0)))
        self.end = np.inf if phase.until is None else self._first_zero(phase.until)

    def weights(self, t: float) -> np.ndarray:
        if not np.isfinite(t):
            return np.full(len(self._rates), np.nan)
        z = self._rates * t
        grown = np.where(np.abs(z) > 1e-300, np.expm1(z) / np.where(z == 0, 1.0, z), 1.0)
        return self._basis @ (np.exp(z) * self._start + t * grown * self._drift)

    def velocity(self, t: float) -> np.ndarray:
        return self._phase.matrix @ self.weights(t) + self._phase.drift

    def _first_zero(self, normal: np.ndarray) -> float:
        from scipy.optimize import brentq

        def height(t: float) -> float:
            return float(normal @ self.weights(t))

        before = height(self.scale / 10)  # a phase may begin where another one's hyperplane has just been crossed
        for k in range(1, LONGEST):
            if before * height(k * self.scale) <= 0:
                return brentq(
                    height, max((k - 1) * self.scale, self.scale / 10), k * self.scale, xtol=1e-300, rtol=1e-15
                )
        raise ArithmeticError("a phase of the path does not end")


def smallest_of_linear(rows: np.ndarray, start: np.ndarray) -> Path:
    """The flow of p = min_j ⟨z_j, W⟩ for the rows z_j of (m, D): straight between events, at which a z_j comes in.

    The rows may be the branches of one example or several examples' in the limit ‖W‖ → ∞: the path is the same.
    """
    phases, w = [], np.asarray(start, dtype=np.float64)
    flat = np.zeros((len(w), len(w)))
    active = [int(np.argmin(rows @ w))]
    while True:
        best = hard_margin.solve(rows[active])
        g = best.dual @ rows[active]
        active = [j for j, q in zip(active, best.dual, strict=True) if q > 0]  # the others rise faster
        height, slope = (rows - rows[active[0]]) @ w, (rows - rows[active[0]]) @ g
        slope[active] = 0.0
        times = np.where(slope < -1e-12 * np.abs(rows).max() ** 2, height / np.where(slope == 0, 1.0, -slope), np.inf)
        entering = int(np.argmin(times))
        if not np.isfinite(times[entering]):
            return Path(start, [*phases, Phase(flat, g)])
        phases.append(Phase(flat, g, rows[entering] - rows[active[0]]))
        w = w + times[entering] * g
        active.append(entering)


def relu_phase(x: np.ndarray, on: tuple[int, ...], held: tuple[int, ...] = ()) -> Phase:
    """A phase of p = Σ_k b_k max(0, ⟨w, x_k⟩), W = (w, b), for x (k, d): one filter, k positions, outputs b.

    on: positions where the unit is active. held: those that are kept at ⟨w, x_k⟩ = 0. The phase has no end yet.
    """
    k, d = x.shape
    matrix = np.zeros((d + k, d + k))
    for j in on:
        matrix[:d, d + j] = matrix[d + j, :d] = x[j]
    return _held(matrix, [kink(x, j) for j in held])


def kink(x: np.ndarray, j: int) -> np.ndarray:
    """The normal c of the hyperplane ⟨w, x_j⟩ = 0 in W = (w, b)."""
    return np.r_[x[j], np.zeros(len(x))]


def release(x: np.ndarray, on: tuple[int, ...], j: int) -> np.ndarray:
    """The normal of the hyperplane on which the gradient with j active, besides `on`, is tangential to j's kink."""
    return relu_phase(x, (*on, j)).matrix @ kink(x, j)


def pool_phase(x: np.ndarray, label: float, chosen: int, held: bool = False) -> Phase:
    """A phase of p = y a max(⟨w, x_1⟩, ⟨w, x_2⟩), W = (w, a), for x (2, d), where position `chosen` is the largest.

    held: the flow is kept on the tie, ⟨w, x_1 − x_2⟩ = 0.
    """
    d = x.shape[1]
    matrix = np.zeros((d + 1, d + 1))
    matrix[:d, d] = matrix[d, :d] = label * x[chosen]
    return _held(matrix, [tie(x)] if held else [])


def tie(x: np.ndarray) -> np.ndarray:
    """The normal of ⟨w, x_1 − x_2⟩ = 0 in W = (w, a)."""
    return np.r_[x[0] - x[1], 0.0]


def _held(matrix: np.ndarray, normals: list[np.ndarray]) -> Phase:
    """The phase of H projected on the intersection of hyperplanes."""
    if normals:
        basis = np.linalg.qr(np.stack(normals, 1))[0]
        projection = np.eye(len(matrix)) - basis @ basis.T
        matrix = projection @ matrix @ projection
    return Phase(matrix, np.zeros(len(matrix)))


def joined(start: np.ndarray, *phases: tuple[Phase, np.ndarray | None]) -> Path:
    """The path from `start` through phases, each with the hyperplane on which it ends."""
    return Path(start, [dataclasses.replace(phase, until=until) for phase, until in phases])
