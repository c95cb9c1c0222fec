r"""The global maximum margin of infinitely wide squared-ReLU networks with fixed output signs.

With f(x) = Σ_j s_j max(0, ⟨w_j, x⟩)² and mass m_j = ‖w_j‖²/‖W‖² at ŵ_j, the normalized margin p_i/‖W‖² is that of a
signed measure of total variation one on the sphere. The best one solves a linear program over measures and its dual,

    γ* = max_{‖μ‖ ≤ 1} min_i y_i ∫ max(0, ⟨w, x_i⟩)² dμ(w) = min_{q ∈ simplex} max_w |g_q(w)|,
    g_q(w) = Σ q_i y_i max(0, ⟨w, x_i⟩)²,   ‖w‖ = 1.

Solved by column generation: a linear program over finitely many w, to which every critical w is added whose |g_q|
exceeds the program's value.
The maximum of |g_q| is found exactly, for inputs in two and three dimensions. g_q is once continuously differentiable
and on each region of the arrangement {⟨w, x_i⟩ = 0} a quadratic form, wᵀA_σ w with A_σ = Σ_{i: ⟨w, x_i⟩ > 0} q_i y_i
x_i x_iᵀ. So at every critical point, on a boundary too, w is an eigenvector of A_σ of a region whose closure holds it:
enumerating the regions and keeping the eigenvectors that lie in theirs finds them all, and |g_q| at the best of them
bounds γ* from above whatever q is. Where an eigenvalue is repeated and its space is not seen by eigenvectors alone,
the eigenvalue itself is taken, which can only raise the bound.

Source: Chizat & Bach (2020) for the limit; Fenchel duality of the program over measures: Rosset et al. (2007).
"""

from __future__ import annotations

import itertools

import numpy as np

from dirconv.oracles import Margin

NUMERICS = 1
ROUNDS = 200  # of column generation, at most
INSIDE = 1e-9  # |⟨w, x_i⟩|/‖x_i‖ up to which w counts as on a boundary
TINY = 1e-12  # margin, relative to the largest ‖x_i‖², that counts as zero
EQUAL = 1e-10  # difference of eigenvalues, relative to the largest, that counts as none


def regions(x: np.ndarray) -> np.ndarray:
    """Which examples are active, ⟨w, x_i⟩ > 0, in each region into which x (n, d), d = 2 or 3, divides the sphere.

    Returns bool (regions, n); ValueError for another d.
    """
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    if x.shape[1] == 2:
        return np.unique(_between(unit) @ unit.T > 0, axis=0)
    if x.shape[1] != 3:
        raise ValueError(f"inputs of two or three dimensions, got {x.shape[1]}")
    patterns = []
    for i, j in itertools.combinations(range(len(x)), 2):  # every region has a vertex, where two great circles meet
        vertex = np.cross(unit[i], unit[j])
        size = np.linalg.norm(vertex)
        if size < INSIDE:
            continue
        for sign in (1.0, -1.0):
            inner = unit @ (sign * vertex / size)
            touching = np.flatnonzero(np.abs(inner) < INSIDE)  # i, j, and others where more than two meet
            rays = _around(unit[touching], sign * vertex / size)
            active = np.repeat((inner > 0)[None], len(rays), axis=0)
            active[:, touching] = rays @ unit[touching].T > 0
            patterns.append(active)
    if not patterns:  # all x on one line: a single great circle
        patterns = [(sign * unit[:1] @ unit.T) > 0 for sign in (1.0, -1.0)]
    return np.unique(np.concatenate(patterns), axis=0)


def _between(normals: np.ndarray) -> np.ndarray:
    """A unit vector in each of the sectors into which lines with these normals (k, 2) divide the plane."""
    angles = np.arctan2(normals[:, 1], normals[:, 0])[:, None] + [[np.pi / 2, -np.pi / 2]]
    angles = np.sort(np.mod(angles, 2 * np.pi).ravel())
    middle = angles + np.diff(np.r_[angles, angles[0] + 2 * np.pi]) / 2
    return np.stack([np.cos(middle), np.sin(middle)], 1)


def _around(lines: np.ndarray, vertex: np.ndarray) -> np.ndarray:
    """A tangent vector in each of the sectors around a vertex into which great circles with these normals divide it."""
    first = lines[0] - vertex * (lines[0] @ vertex)
    first /= np.linalg.norm(first)
    plane = np.stack([first, np.cross(vertex, first)])
    flat = lines @ plane.T
    return _between(flat) @ plane


def critical(x: np.ndarray, y: np.ndarray, q: np.ndarray, active: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Critical points w (k, d) of g_q on the sphere and a bound of |g_q| at each (k,); the largest bounds |g_q|."""
    outer = np.einsum("i,ia,ib->iab", q * y, x, x).reshape(len(x), -1)
    forms = (active @ outer).reshape(-1, x.shape[1], x.shape[1])
    values, vectors = np.linalg.eigh(forms)
    candidates = np.concatenate([vectors, -vectors], axis=2).transpose(0, 2, 1)  # (regions, 2d, d)
    bounds = np.abs(np.concatenate([values, values], axis=1))
    inner = candidates @ (x / np.linalg.norm(x, axis=1, keepdims=True)).T
    inside = ((inner > -INSIDE) | ~active[:, None]).all(2) & ((inner < INSIDE) | active[:, None]).all(2)
    repeated = np.abs(np.diff(values, axis=1)) <= EQUAL * np.abs(values).max()
    pair = np.zeros(values.shape, dtype=bool)
    pair[:, 1:] |= repeated
    pair[:, :-1] |= repeated
    inside |= np.concatenate([pair, pair], axis=1) & (bounds > EQUAL)
    return candidates[inside], bounds[inside]


def features(w: np.ndarray, x: np.ndarray) -> np.ndarray:
    """max(0, ⟨w_k, x_i⟩)² for w (k, d) and x (n, d): (k, n)."""
    return np.maximum(w @ x.T, 0.0) ** 2


def solve(x: np.ndarray, y: np.ndarray, gap: float = 1e-9) -> Margin:
    """The maximum margin of data x (n, d), d = 2 or 3, y (n,) ±1, to a relative duality `gap`.

    `predictor` is (k, d + 1): the measure's atoms, their signed masses in the last column. ValueError if the data
    cannot be separated, ArithmeticError if the gap is not reached.
    """
    from scipy.optimize import linprog

    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    active = regions(x)
    atoms = np.concatenate([np.eye(x.shape[1]), -np.eye(x.shape[1]), x / np.linalg.norm(x, axis=1, keepdims=True)])
    best = None
    q = np.full(len(x), 1 / len(x))
    for _ in range(ROUNDS):
        points, bounds = critical(x, y, q, active)
        if best is not None and bounds.max() < best.upper:
            best = Margin(best.lower, float(bounds.max()), best.predictor, q)
        if bounds.max() < TINY * (x**2).sum(1).max():
            raise ValueError("the data cannot be separated by squared-ReLU neurons")
        if best is not None and best.gap <= gap:
            return best
        atoms = np.concatenate([atoms, points[bounds > (0.0 if best is None else best.lower * (1 - 1e-12))]])
        columns = (features(atoms, x) * y).T  # (n, k), for both signs
        unit = 1.0 if best is None or best.lower <= 0 else best.lower  # makes γ ≈ 1: solver tolerances are absolute
        # minimize −γ over μ⁺, μ⁻ ≥ 0 and γ: γ − columns (μ⁺ − μ⁻) ≤ 0, total mass one
        count = len(atoms)
        solution = linprog(
            np.r_[np.zeros(2 * count), -1.0],
            A_ub=np.hstack([-columns / unit, columns / unit, np.ones((len(x), 1))]),
            b_ub=np.zeros(len(x)),
            A_eq=np.r_[np.ones(2 * count), 0.0][None],
            b_eq=[1.0],
            bounds=[(0, None)] * (2 * count) + [(None, None)],
            method="highs",
            options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
        )
        mass = np.maximum(solution.x[:count], 0) - np.maximum(solution.x[count : 2 * count], 0)
        mass /= max(np.abs(mass).sum(), 1e-300)  # zero while these atoms cannot separate the data
        lower = float((columns @ mass).min())
        q = np.maximum(-solution.ineqlin.marginals, 0)
        q /= q.sum()
        if best is None or lower > best.lower:
            kept = mass != 0
            upper = np.inf if best is None else best.upper
            best = Margin(lower, upper, np.c_[atoms[kept], mass[kept]], q if best is None else best.dual)
        used = np.abs(mass) > 0
        slack = np.abs(columns.T @ q) > lower * (1 - 1e-3)  # columns that may be needed again
        atoms = atoms[used | slack]
    raise ArithmeticError(f"the duality gap is {best.gap:.2g}, above the {gap:.2g} asked for")


def multipliers(best: Margin) -> np.ndarray:
    r"""KKT multipliers λ (n,) of the network of fixed signs: w_j = Σ λ_i ∇_j p_i, p_i ≥ 1, at ‖W‖² = 1/γ*.

    Where |g_q| is largest its gradient is 2 g_q(ŵ) ŵ, g_q = s_j γ*, so that λ = q/(2γ*) = q ‖W‖²/L, L = 2.
    """
    return best.dual / (2 * best.upper)


def neurons(best: Margin) -> tuple[np.ndarray, np.ndarray]:
    """Such a W: w (k, d), a neuron an atom, and the signs s (k,) of its outputs; ‖w_j‖² = |mass|/γ*."""
    mass = best.predictor[:, -1]
    return best.predictor[:, :-1] * np.sqrt(np.abs(mass) / best.lower)[:, None], np.sign(mass)
