"""Reference paths from softmin to hard minimum in 60 digits: python tests/helpers/handover.py writes handover.json.

The flow of the exponential loss on the sphere, with the softmin's logarithms d_k = ln(q_k/q_0) as unknowns beside θ,

    θ' = (I − θθᵀ) v/⟨θ, v⟩,  v = Σ q_k ∇p_k(θ),      d_k/s + p_k(θ) − p_0(θ) = 0,      s = ‖W₀‖^L e^(Lτ),

by the implicit Runge–Kutta method Radau IIA of three stages and Newton's method. Written so, nothing is stiff however
large s is, and with 1/s = 0 it is the limit's differential–algebraic equation: margins of the support are equal. From
τ = 10 on both are solved and compared (`limit`). The distance to what steps of twice the size give is `halved`.

Source: Hairer, Lubich & Roche (1989), Radau IIA for index two: positions of order five.
"""

import concurrent.futures
import json
from pathlib import Path

import mpmath
import numpy as np
from mpmath import mpf

PATH = Path(__file__).with_suffix(".json")
DIGITS, EPS = 60, "1e-28"
LAND = 2  # τ = 2^(k/2) − 1
LAST = 9
PROBLEMS = {
    "deep_linear": {  # W₃ W₂ W₁ z: 1 × 1, 1 × 2, 2 × 2
        "z": [[1.0, 0.25], [0.3, 1.1], [1.5, 0.4]],
        "start": [1.1, 0.2, 0.3, 0.9, 1.2, 0.7, 1.3],
    },
    "squared_relu": {  # Σ_j a_j max(0, ⟨w_j, x⟩)², W = (a_1, a_2, w_1, w_2)
        "x": [[1.0, 0.3], [0.7, 0.9], [-0.9, 0.5]],
        "y": [1.0, 1.0, -1.0],
        "start": [1.2, -1.1, 1.3, 0.9, -1.3, 0.4],
    },
}
DEGREE = 3


def margins(name, data, w):
    """p (n,) and its Jacobian (n, D), of floats or of mpf's."""
    if name == "deep_linear":
        first, second, third, z = w[:4].reshape(2, 2), w[4:6], w[6], data["z"]
        hidden = z @ first.T
        p = third * (hidden @ second)
        inner = third * second[None, :, None] * z[:, None, :]
        jacobian = [inner.reshape(len(z), 4), third * hidden, (hidden @ second)[:, None]]
        return p, np.concatenate(jacobian, 1)
    a, weights, x, y = w[:2], w[2:].reshape(2, 2), data["x"], data["y"]
    hidden = x @ weights.T
    hidden = hidden * (hidden > 0)
    inner = 2 * y[:, None, None] * (hidden * a)[:, :, None] * x[:, None, :]
    return y * (hidden**2 @ a), np.concatenate([y[:, None] * hidden**2, inner.reshape(len(x), 4)], 1)


def exact(values):
    return np.array([[mpf(str(v)) for v in row] if isinstance(row, list) else mpf(str(row)) for row in values])


def derivative(name, data, theta, d):
    """θ' and p_k − p_0."""
    p, jacobian = margins(name, data, theta)
    weights = np.array([mpf(1), *(mpmath.exp(each) for each in d)])
    v = weights @ jacobian
    return v / (theta @ v) - theta / (theta @ theta), p[1:] - p[0]


def radau():
    root = mpmath.sqrt(6)
    c = [(4 - root) / 10, (4 + root) / 10, mpf(1)]
    a = [
        [(88 - 7 * root) / 360, (296 - 169 * root) / 1800, (-2 + 3 * root) / 225],
        [(296 + 169 * root) / 1800, (88 + 7 * root) / 360, (-2 - 3 * root) / 225],
        [(16 - root) / 36, (16 + root) / 36, mpf(1) / 9],
    ]
    return np.array(c), np.array(a)


def step(name, data, theta, d, rate, inverse, h):
    """θ and d after a step; `rate`: d' so far, for a first guess; `inverse` gives 1/s at a share c of the step."""
    c, a = radau()
    size, other = len(theta), len(d)
    slope = derivative(name, data, theta, d)[0]
    x = [np.concatenate([theta + share * h * slope, d + share * h * rate]) for share in c]
    eps = mpf(EPS)
    local = np.empty((3, size + other, size + other), dtype=object)
    for iteration in range(60):
        f = []
        for j in range(3):
            here = np.concatenate(derivative(name, data, x[j][:size], x[j][size:]))
            f.append(here)
            for k in range(size + other if iteration < 3 else 0):  # then simplified: each gains some ten digits
                beside = x[j].copy()
                beside[k] += eps
                local[j, :, k] = (np.concatenate(derivative(name, data, beside[:size], beside[size:])) - here) / eps
        width = size + other
        residual = np.empty(3 * width, dtype=object)
        matrix = np.zeros((3 * width, 3 * width))
        for i in range(3):
            at = slice(i * width, i * width + size)
            residual[at] = x[i][:size] - theta - h * sum(a[i, j] * f[j][:size] for j in range(3))
            below = slice(i * width + size, (i + 1) * width)
            residual[below] = x[i][size:] * inverse(c[i]) + f[i][size:]
            matrix[at, at] += np.eye(size)
            for j in range(3):
                matrix[at, j * width : (j + 1) * width] -= (h * a[i, j] * local[j, :size]).astype(float)
            matrix[below, i * width : (i + 1) * width] += local[i, size:].astype(float)
            matrix[below, below] += np.eye(other) * float(inverse(c[i]))
        scale = max(abs(r) for r in residual)
        change = np.linalg.solve(matrix, (residual / scale).astype(float) if scale else residual.astype(float))
        moved = 0
        for i in range(3):
            each = np.array([mpf(e) for e in change[i * width : (i + 1) * width]]) * scale
            x[i] = x[i] - each
            moved = max(moved, *(abs(e) / max(1, abs(v)) for e, v in zip(each, x[i], strict=True)))
        if moved < mpf("1e-36"):
            break
    else:
        raise ArithmeticError(f"{name}: Newton's method does not converge, {float(moved)} at {float(h)}")
    theta = x[2][:size]
    return theta / mpmath.sqrt(theta @ theta), x[2][size:], (x[2][size:] - d) / h


def landings():
    return [mpf(2) ** (mpf(k) / LAND) - 1 for k in range(1, LAST + 1)]


def follow(name, shorter=1, limit=None):
    """θ at the landings and d there; `limit`: (τ, θ, d) from which 1/s = 0."""
    data = {key: exact(value) for key, value in PROBLEMS[name].items()}
    norm = mpmath.sqrt(data["start"] @ data["start"])
    if limit is None:
        tau, theta, s = mpf(0), data["start"] / norm, norm**DEGREE
        p = margins(name, data, theta)[0]
        d = -s * (p[1:] - p[0])
    else:
        tau, theta, d = limit
        support = [0, *(k + 1 for k in range(len(d)) if d[k] > -DIGITS)]  # the others have no weight, and no equation
        data = {key: value if key == "start" else value[support] for key, value in data.items()}
        d = np.array([d[k - 1] for k in support[1:]])
    rate, found = np.array([mpf(0)] * len(d)), {}
    for end in landings():
        if end <= tau:
            continue
        while end - tau > mpf("1e-30"):
            h = min(mpf("0.004") + mpf("0.03") * tau, mpf("0.25")) / shorter
            h = (end - tau) / max(1, int(mpmath.ceil((end - tau) / h)))

            def inverse(share, tau=tau, h=h):
                return mpf(0) if limit else mpmath.exp(-DEGREE * (tau + share * h)) / norm**DEGREE

            theta, d, rate = step(name, data, theta, d, rate, inverse, h)
            tau += h
        tau = end
        found[end] = (theta, d)
    return found


def distance(one, other):
    return float(mpmath.sqrt(sum((a - b) ** 2 for a, b in zip(one, other, strict=True))))


def solve(name):
    """The record of a problem."""
    mpmath.mp.dps = DIGITS
    coarse, fine = follow(name, mpf(1) / 2), follow(name)
    late = next(end for end in fine if end > 10)
    limit = follow(name, limit=(late, *fine[late]))
    data = {key: exact(value) for key, value in PROBLEMS[name].items()}
    return {
        **PROBLEMS[name],
        "tau": [float(end) for end in fine],
        "theta": [[float(each) for each in theta] for theta, _ in fine.values()],
        "ln_weights": [[0.0, *(float(each) for each in d)] for _, d in fine.values()],
        "margins": [[float(each) for each in margins(name, data, theta)[0]] for theta, _ in fine.values()],
        "halved": max(distance(coarse[end][0], fine[end][0]) for end in fine),
        "limit": max(distance(limit[end][0], fine[end][0]) for end in limit),
    }


def main():
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        record = dict(zip(PROBLEMS, pool.map(solve, PROBLEMS), strict=True))
    parts = (
        ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in each.items())
        for each in record.values()
    )
    text = ",\n".join(f' "{name}": {{\n{part}\n }}' for name, part in zip(record, parts, strict=True))
    PATH.write_text("{\n" + text + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
