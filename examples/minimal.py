"""Gradient flow in log-norm time, in one file: the way in for a theorist.

Z. Ji and M. Telgarsky, "Directional convergence and alignment in deep learning", NeurIPS 2020. Let pᵢ(W) = yᵢ Φ(xᵢ; W)
be the margins of a network of degree L, so p(cW) = c^L p(W), and let ℒ(W) = Σᵢ ℓ(pᵢ(W)), here with ℓ(z) = e^(−z).
Follow gradient flow dW/dt = −∇ℒ(W) from a point where ℒ < ℓ(0), for a network definable in an o-minimal structure:

    Theorem 3.1  The curve of directions θ = W/‖W‖ has finite length, so θ converges.
    Theorem 4.1  If the gradients ∇pᵢ are locally Lipschitz, then −∇ℒ aligns with W: cos ∠(W, −∇ℒ) → 1.

Both are statements about t → ∞, but ℒ falls only like 1/t. So change the clock to τ = ln(‖W‖/‖W₀‖), in which
ln(1/ℒ) grows like e^(Lτ). Let s = ‖W‖^L, let q be the softmin weights and v the velocity. The curve of θ is the same:

    q = softmin(s p(θ)),    v = Σᵢ qᵢ ∇pᵢ(θ) ∝ −∇ℒ,    dθ/dτ = P v/⟨θ, v⟩,    P = I − θθᵀ.                (1)

The speed of θ is ‖P v‖/⟨θ, v⟩ = tan ∠(W, −∇ℒ). The path of θ has finite length ζ if and only if this is integrable in
τ. The smoothed margin ã = ln(1/ℒ)/‖W‖^L never falls (Lyu and Li, 2020).

The project's engine is src/dirconv/flow (second order, step-size control, deep networks), derived in docs/flow.md.
"""

import argparse
import math

import matplotlib.pyplot as plt
import torch

torch.set_default_dtype(torch.float64)  # s p reaches 10¹⁰, and q needs its rounding errors far below 1
torch.set_num_threads(1)

L = 3  # degree of the network: 2 from the squared ReLU, 1 from the output weights
EXAMPLES, NEURONS = 16, 40  # n, m; there are D = 3m weights


def network(W, x):
    """Φ(x; W) = Σⱼ aⱼ max(0, ⟨wⱼ, x⟩)², W (D,) holds the rows (wⱼ, aⱼ). Its gradient is locally Lipschitz."""
    w, a = W.view(-1, 3).split([2, 1], dim=1)  # (m, 2), (m, 1)
    return ((x @ w.T).relu().square() @ a).squeeze(1)  # (n,)


def sample_data(random):
    """x (n, 2) standard normal, y (n,) = ±1, the sign of a teacher network with four neurons."""
    while True:
        w, a = torch.randn(4, 2, generator=random), torch.tensor([[1.0], [-1.0], [1.0], [-1.0]])
        x = torch.randn(3 * EXAMPLES, 2, generator=random)
        output = network(torch.cat([w, a], dim=1).flatten(), x)
        clear = output.abs() > 0.1 * x.square().sum(1)  # leave out points near the teacher's decision boundary
        x, y = x[clear][:EXAMPLES], output[clear][:EXAMPLES].sign()
        if len(y) == EXAMPLES and abs(y.mean()) <= 0.5:
            return x, y


def initialize(random):
    """W (D,): the neurons of either sign point evenly in all directions, so that every xᵢ activates some of both."""
    angle = (torch.arange(NEURONS // 2) + torch.rand(2, 1, generator=random)) * (4 * math.pi / NEURONS)  # (2, m/2)
    a = torch.tensor([[1.0], [-1.0]]).expand_as(angle) / math.sqrt(2)  # balanced: ‖w‖² = 2 ‖a‖², which the flow keeps
    return torch.stack([angle.cos(), angle.sin(), a], dim=2).flatten() / math.sqrt(NEURONS)


def velocity(p, W, s=1.0):
    """Margins p(W) (n,), and v = J(W)ᵀ q (D,) for q = softmin(s p(W))."""
    margins, pullback = torch.func.vjp(p, W)
    return margins, pullback(torch.softmax(-s * margins, 0))[0]


def descend(p, W, step=0.02):
    """Follow the flow from initialization until ℒ < ℓ(0) = 1, by Euler's method in relative arc length."""
    for _ in range(5000):
        margins, v = velocity(p, W)
        if torch.logsumexp(-margins, 0) < 0:  # ln ℒ
            return W
        W = W + step * W.norm() * v / v.norm()
    raise RuntimeError("no point with ℒ < ℓ(0) was found: try another --seed")


def proximal_step(p, theta, ln_q, h, s):
    """Implicit Euler step of (1) from θ to θ⁺, at whose end ‖W‖^L = s. Returns θ⁺ (D,) and ln q (n,).

        θ⁺ ∝ θ + h P v/⟨θ, v⟩,    v = J(θ)ᵀ q,    q = softmin(s p(θ⁺)).                                     (2)

    Why implicit: for large s a small move of θ changes q completely, so explicit steps must shrink like 1/s, that is
    like 1/ln(1/ℒ). The rows ∇pᵢ(θ) do not depend on s and are taken where the step starts.
    To first order in h, (2) maximizes −ln Σᵢ e^(−s pᵢ(θ⁺)) minus a multiple of ‖θ⁺ − θ‖²: a proximal step. Its dual has
    only n unknowns, q: Newton's method solves ln q = −s p(θ⁺(q)) + constant, from the q of the step before.
    """
    margins, J = p(theta), torch.func.jacrev(p)(theta)  # (n,), (n, D)
    J_perp = J - L * torch.outer(margins, theta)  # J P, since J θ = L p by Euler's identity
    for _ in range(30):
        q = ln_q.exp()
        radial_speed = L * (q @ margins)  # ⟨θ, v⟩ > 0
        theta_next = torch.nn.functional.normalize(theta + h * (q @ J_perp) / radial_speed, dim=0)
        z = s * p(theta_next)  # the margins at the end of the step
        if (torch.softmax(-z, 0) - q).abs().sum() < 1e-5:  # the weights there are those that led there
            return theta_next, ln_q
        A = h * s / radial_speed * J_perp @ J_perp.T  # (n, n), ∂z/∂q to first order in h
        C = torch.diag(q) - torch.outer(q, q)  # (n, n), derivative of softmax at ln q
        residual = ln_q + z - q @ (ln_q + z)  # up to a constant, to which softmin is blind
        change = -torch.linalg.solve(torch.eye(len(q)) + A @ C, residual)
        ln_q = torch.log_softmax((ln_q + change - q @ change).clamp(max=0.0), 0)  # q ≤ 1 where an example gains weight
    raise RuntimeError("Newton's method did not converge: take a smaller --step, or a smaller --tau")


def follow(p, W, tau_end, h):
    """The flow from W₀ = W to τ = tau_end in steps of h. Per step: τ, ln 1/ℒ, cos ∠(W, −∇ℒ), ζ, minᵢ pᵢ(θ), ã."""
    theta, norm, ln_q, zeta, rows = W / W.norm(), W.norm(), torch.log_softmax(-p(W), 0), 0.0, []
    for k in range(max(1, round(tau_end / h)) + 1):
        s = float((norm * math.exp(k * h)) ** L)
        if k > 0:
            theta_next, ln_q = proximal_step(p, theta, ln_q, h, s)
            zeta += 2 * math.asin((theta_next - theta).norm() / 2)  # the angle, from its chord
            theta = theta_next
        margins, v = velocity(p, theta, s)
        a = -torch.logsumexp(-s * margins, 0)  # ln 1/ℒ; ã = a/s is the smoothed margin
        rows.append([k * h, float(a), float(theta @ v / v.norm()), zeta, float(margins.min()), float(a / s)])
    return rows


def plot(rows, out):
    tau, _, cos, zeta, margin, smoothed = zip(*rows, strict=True)
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
    axes[0].semilogy(tau, [1 - c for c in cos])
    axes[1].plot(tau, zeta)
    axes[2].plot(tau, margin, label="normalized: min p(θ)")
    axes[2].plot(tau, smoothed, "--", label="smoothed: ã = ln(1/ℒ)/‖W‖$^L$")
    axes[2].legend(loc="center right")
    titles = "Alignment: 1 − cos ∠(W, −∇ℒ)", "Path length ζ of θ = W/‖W‖, radians", "Margins"
    for axis, title in zip(axes, titles, strict=True):
        axis.set(title=title, xlabel="τ = ln(‖W‖/‖W₀‖)")
    figure.savefig(out, dpi=150)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Gradient flow of a squared-ReLU network in τ = ln(‖W‖/‖W₀‖).")
    parser.add_argument("--out", default="minimal.png", help="the figure")
    parser.add_argument("--tau", type=float, default=7.0, help="where to end; float64 resolves q up to about 7.5")
    parser.add_argument("--step", type=float, default=0.02, help="h, in τ; the error of θ is proportional to it")
    parser.add_argument("--seed", type=int, default=0, help="of the data and the initialization")
    options = parser.parse_args()
    random = torch.Generator().manual_seed(options.seed)
    x, y = sample_data(random)

    def p(W):  # the margin map, (D,) → (n,)
        return y * network(W, x)

    rows = follow(p, descend(p, initialize(random)), options.tau, options.step)
    print(f"{'τ':>6} {'ln 1/ℒ':>10} {'cos':>11} {'ζ':>8} {'min p(θ)':>10} {'ã':>10}")
    for i in range(8):
        print("{:6.2f} {:10.3g} {:11.8f} {:8.4f} {:10.6f} {:10.6f}".format(*rows[i * (len(rows) - 1) // 7]))
    rise = min(rows[k + 1][5] / rows[k][5] - 1 for k in range(len(rows) - 1))
    print(f"To see: cos → 1 and ζ levels off; ã never falls (smallest relative change in a step: {rise:+.1e}).")
    plot(rows, options.out)
