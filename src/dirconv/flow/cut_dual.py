r"""The dual of a proximal step over cuts: several cuts an example, one entropy an example, at any temperature.

A cut j is a linear function above (concave kinks) or near the margin of its example i = owners[j]: at x̄ it has the
value c_j, and its gradient is row j of J. The step (docs/flow.md, section 6a)

    x⁺ = argmax over x of  −T ln Σ_i exp(−min over i's cuts j of (c_j + ⟨J_j, x − x̄⟩)/T)  −  ‖x − x̄‖²/(2κ)

is x⁺ = x̄ + κ Jᵀq, q being a minimiser over the simplex of

    D(q) = ½ qᵀG q + cᵀq + T Σ_i Q_i ln Q_i,     G = κ J Jᵀ,     Q_i = Σ over i's cuts of q_j,

all in the units of the margins. Nearly equal cuts, exact duplicates and a G of low rank are the normal case: q is then
not unique, Jᵀq and Q are. At T = 0 the program is quadratic, and x⁺ the proximal step on the smallest cut of all.

*Certificate.* With t_i = min over i's cuts of (c + G q)_j, the primal value at x̄ + κ Jᵀq, the gap of any q is

    gap(q) = Σ_j q_j ((c + G q)_j − t_owner)  +  T KL(Q ‖ softmax(−t/T))   ≥   ½ (q − q∗)ᵀG(q − q∗) + T KL(Q ‖ Q∗),

a sum of terms that are not negative, so that it is seen to be small. It is what iterations end by.

*Few cuts matter.* The problem is solved on those that are lowest at the start; what then lies below the solution is
taken in, and it is solved again: the gap is over all cuts. A Cholesky factorisation a step of the cuts taken in is
all the cost.

*Solvers.* An interior point of Mehrotra's with proximal regularisation, in torch on the tensors' device. At T = 0 on a
CPU the library piqp (R. Schwan et al., PIQP: a proximal interior-point quadratic programming solver, CDC 2023) goes
first. It takes dense matrices, and its proximal terms let it work on singular ones, where the dual active-set method
(quadprog) needs a definite G and splitting methods (osqp, scs) end at low precision. What piqp leaves with a gap above
`LIBRARY_GAP` is solved again.

*Noise.* A G that is indefinite by rounding gets the smallest multiple of the identity, in powers of ten of its
rounding, with which a factorisation exists.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import piqp
import torch
from torch import Tensor

NUMERICS = 1
GOES_THROUGH = ()
EPSILON = 2.0**-52
RESOLVED = 1e-13  # T ln E, in units of the values' and the matrix's spread, below which there is no entropy
GAP = 1e-15  # at which an interior point ends, in the same units
NEARLY = 1e-12  # gap with which it has converged where rounding lets it go no further
QUICK = 1e-12  # what the library is asked for where an accuracy is given
LIBRARY_GAP = 1e-13  # above which the library's answer is not taken
DIVERGENCE = 1e-13  # KL(Q ‖ softmax(−t/T)) at which it ends: Q within 5·10⁻⁷ in sum, by Pinsker
ITERATIONS = 60
PATIENCE = 8  # iterations without a smaller gap
WEIGHTLESS = 37.0  # units of T above the smooth minimum: a weight of 10⁻¹⁶
BOUNDARY = 0.995  # of the longest step that keeps q, z ≥ 0
SHORT = 0.1  # step that is not taken without a look at one towards the centre
RAISES = 5  # of the proximal term
BLOCK = 400  # cuts that are taken in at once, at least where so many are missing
BESIDE = 100  # of them at least, missing or not
ROUNDS = 50


@dataclasses.dataclass(frozen=True)
class Solution:
    """A minimiser, and what it took."""

    q: Tensor  # (m,), a weight a cut, ≥ 0, sum 1, float64
    iterations: int  # of interior points, all rounds
    gap: float  # D(q) less the primal's value at x̄ + κ Jᵀq, in the units of the values; of G as it was given
    converged: bool


def solve(gram: Tensor, values: Tensor, owners: Tensor, temperature: float, accuracy: float = 0.0) -> Solution:
    r"""q that minimises ½ qᵀG q + cᵀq + T Σ_i Q_i ln Q_i over the simplex, Q_i = Σ_{owners[j] = i} q_j.

    gram        G (m, m), symmetric, positive semi-definite up to rounding: κ times the products of the cuts' gradients
    values      c (m,), in the units of the margins
    owners      (m,), integers: the example of each cut, any labels
    temperature T ≥ 0, in the units of the values; 0: the smallest margin alone
    accuracy    relative error of the displacement, ‖Jᵀ(q − q∗)‖/‖Jᵀq‖, that is good enough; 0: as float64 allows

    Float64 on the tensors' device. What is not finite gives `converged` False and equal weights. ValueError: shapes
    that do not fit, no cut, a negative temperature. Equations (6a.1) to (6a.6) of docs/flow.md.
    """
    m = len(values)
    if m == 0 or values.shape != (m,) or owners.shape != (m,) or gram.shape != (m, m):
        raise ValueError(
            f"cuts: gram {tuple(gram.shape)}, values {tuple(values.shape)}, owners {tuple(owners.shape)} do not fit"
        )
    if temperature < 0:
        raise ValueError(f"temperature {temperature} is negative")
    g, c = gram.double(), values.double()
    if not (math.isfinite(temperature) and bool(torch.isfinite(c).all() & torch.isfinite(g).all())):
        return Solution(torch.full_like(c, 1 / m), 0, math.nan, False)
    if m == 1:
        return Solution(torch.ones_like(c), 0, 0.0, True)
    if temperature == 0 and accuracy > 0 and c.device.type == "cpu":
        solution = _at_once(g, c, accuracy)
        if solution.converged:
            return solution
    examples, owners = torch.unique(owners, return_inverse=True)
    rounding = EPSILON * float(g.abs().max() + c.abs().max())
    entropy = temperature * math.log(len(examples))  # at most
    inside = _first(g, c, owners, len(examples), temperature)
    spent, missing = 0, 1
    for _ in range(ROUNDS):
        part = _Program.of(g[inside][:, inside], c[inside], owners[inside], temperature, entropy, rounding, accuracy)
        weights, iterations, converged = _minimise(part)
        spent += iterations
        q = torch.zeros_like(c).index_copy(0, inside, weights)
        slack = g[:, inside] @ weights + c
        t = part.t * part.scale
        # what is not inside and would have weight: below its example's lowest, or of an example that has no cut inside
        lowest = _least(slack[inside] + part.shift * weights, owners[inside], len(examples))
        bound = lowest.clamp(max=_softmin(lowest, t) + WEIGHTLESS * t)[owners] - rounding - GAP * part.scale
        depth = (bound - slack).index_fill(0, inside, -math.inf)
        missing = int((depth > 0).sum())
        if missing == 0:
            break
        # the deepest first, and with them what may come to lie below when they are there
        new = depth.argsort(descending=True)[: max(BESIDE, min(missing, max(BLOCK, len(inside) // 2)))]
        inside = torch.cat([inside, new]).unique()
    split, divergence = _gap(slack, q, owners, len(examples), t).tolist()
    return Solution(q, spent, max(split + t * divergence, 0.0), converged and missing == 0)


def _first(g: Tensor, c: Tensor, owners: Tensor, examples: int, temperature: float) -> Tensor:
    """Cuts to begin with, sorted: the lowest at the best vertex, and the lowest one of each example with weight."""
    best = (c + 0.5 * g.diagonal()).argmin()
    slack = g[best] + c
    low, lowest = slack.min(), _least(slack, owners, examples)
    # as far above the vertex as others lie below it: what else is needed is seen after the first round
    near = slack <= torch.minimum(2 * slack[best] - low, slack.sort()[0][min(BLOCK, len(c)) - 1])
    warm = (slack <= lowest[owners]) & (slack <= low + WEIGHTLESS * temperature)
    return (near | warm).index_fill(0, best, True).nonzero()[:, 0]


@dataclasses.dataclass(frozen=True)
class _Program:
    """The dual over some cuts, centred and divided by its scale."""

    g: Tensor  # (m, m), of gradients without their mean, definite
    c: Tensor  # (m,)
    owners: Tensor  # (m,), 0 … examples − 1
    examples: int
    t: float  # temperature; 0 where the entropy cannot be resolved
    scale: float  # of values and matrix, in the caller's units
    shift: float  # that was added to the diagonal, in the caller's units
    start: Tensor  # (m,), examples and the cuts of each alike
    mean: Tensor  # (m,), r
    accuracy: float  # of the displacement, relative; 0: as float64 allows

    def enough(self, q: Tensor, slack: Tensor) -> tuple[float, float]:
        """The gap and the divergence that are good enough: by (6a.5) for ½ (accuracy ‖Jᵀq‖)², J with its mean."""
        least = max(DIVERGENCE, (2 * EPSILON / self.t) ** 2) if self.t > 0 else 0.0
        if self.accuracy == 0:
            return GAP, least
        square = float(q @ (slack - self.c) + (2 * q - self.start) @ self.mean)
        return max(GAP, 0.5 * self.accuracy**2 * square), max(least, self.accuracy**2)

    @staticmethod
    def of(
        g: Tensor,
        c: Tensor,
        owners: Tensor,
        temperature: float,
        entropy: float,
        rounding: float,
        accuracy: float,
    ) -> _Program:
        """½ qᵀGq + cᵀq is the same with gradients less their mean, but for a constant: G − r1ᵀ − 1rᵀ + r̄, c + r."""
        _, owners, counts = torch.unique(owners, return_inverse=True, return_counts=True)
        start = 1 / (len(counts) * counts[owners].double())
        mean = g @ start
        c = c + mean
        c = c - c.min()
        g = g - mean[:, None] - mean + start @ mean
        scale = max(float(c.max() + g.diagonal().max()) + temperature, rounding, 1e-300)
        shift = _noise(g, max(rounding, EPSILON * scale))
        g = (g + torch.diag(torch.full_like(c, shift))) / scale
        t = temperature / scale if entropy >= RESOLVED * scale else 0.0
        return _Program(g, c / scale, owners, len(counts), t, scale, shift, start, mean / scale, accuracy)


def _noise(g: Tensor, least: float) -> float:
    """Smallest of least, 10 least, … that makes G definite when added to its diagonal."""
    shift = least
    while int(torch.linalg.cholesky_ex(g + torch.diag(torch.full_like(g[0], shift)))[1]) != 0:
        shift *= 10
    return shift


def _least(slack: Tensor, owners: Tensor, examples: int) -> Tensor:
    """t (examples,), the smallest slack of each example's cuts; infinite for one without."""
    return slack.new_full((examples,), math.inf).scatter_reduce(0, owners, slack, "amin")


def _softmin(t: Tensor, temperature: float) -> Tensor:
    """−T ln Σ exp(−t/T), or the minimum at T = 0."""
    low = t.min()
    return low - temperature * torch.logsumexp((low - t) / temperature, 0) if temperature > 0 else low


def _gap(slack: Tensor, q: Tensor, owners: Tensor, examples: int, temperature: float) -> Tensor:
    """(6a.5) in two parts, (2,): Σ q_j (slack_j − t_owner), and KL(Q ‖ softmax(−t/T)); all in the first at T = 0."""
    if temperature == 0:
        return torch.stack([q @ (slack - slack.min()), slack.new_zeros(())])
    t = _least(slack, owners, examples)
    share = torch.zeros_like(t).index_add(0, owners, q)
    ln_softmin = torch.log_softmax((t.min() - t) / temperature, 0)
    divergence = torch.where(share > 0, share * (share.clamp(min=1e-300).log() - ln_softmin), 0.0).sum()
    return torch.stack([q @ (slack - t[owners]), divergence])


def _minimise(program: _Program) -> tuple[Tensor, int, bool]:
    """q, iterations, and whether it converged."""
    if len(program.c) == 1:
        return program.start, 0, True
    spent = 0
    if program.t == 0 and program.c.device.type == "cpu":
        q, spent = _by_library(program)
        if q is not None:
            return q, spent, True
    q, iterations, converged = _interior(program)
    return q, spent + iterations, converged


def _at_once(g: Tensor, c: Tensor, accuracy: float) -> Solution:
    """The library's answer over all cuts as they are; converged where the gap, by (6a.5), says that it will do."""
    c = c - c.min()
    scale = max(float(c.max() + g.diagonal().max()), 1e-300)
    q, iterations = _library(g / scale, c / scale, QUICK)
    slack = g @ q + c
    gap = float(q @ (slack - slack.min()))
    return Solution(q, iterations, gap, gap <= 0.5 * accuracy**2 * float(q @ (slack - c)))


def _library(g: Tensor, c: Tensor, tolerance: float) -> tuple[Tensor, int]:
    """piqp's minimiser of ½ qᵀG q + cᵀq over the simplex, and its iterations."""
    m = len(c)
    solver = piqp.DenseSolver()
    settings = solver.settings
    settings.eps_abs = settings.eps_rel = settings.eps_duality_gap_abs = settings.eps_duality_gap_rel = tolerance
    settings.max_iter = ITERATIONS
    sums = np.ones((1, m)), np.ones(1)
    solver.setup(g.numpy(), c.numpy(), *sums, None, None, None, np.zeros(m), np.full(m, np.inf))
    solver.solve()
    q = torch.tensor(solver.result.x).clamp(min=0)
    return q / q.sum(), solver.result.info.iter


def _by_library(program: _Program) -> tuple[Tensor | None, int]:
    """piqp's q, if its gap is small, and its iterations."""
    q, iterations = _library(program.g, program.c, 1e-14)
    gap = float(_gap(program.g @ q + program.c, q, program.owners, program.examples, 0.0)[0])
    return (q if gap <= LIBRARY_GAP else None), iterations


def _interior(program: _Program) -> tuple[Tensor, int, bool]:
    """Primal–dual interior point, (6a.6): q, iterations, and whether it converged."""
    g, c, t, owners = program.g, program.c, program.t, program.owners
    m, noise = len(c), program.shift / program.scale
    same = owners[:, None] == owners if t > 0 else None
    q = program.start
    slack, gradient, bend = _derivatives(program, q)
    z = gradient - gradient.min()
    z = z.clamp(min=0.1 * float(z.max()) + 1e-3)  # multipliers of q ≥ 0
    best, best_gap, since, polished = q, math.inf, 0, False
    for count in range(ITERATIONS + 1):
        rest = gradient - z
        rest = rest - q @ rest  # ρ of (6a.6), with the ν that is best for q
        mu = q @ z / m
        split, divergence, mean = torch.cat([_gap(slack, q, owners, program.examples, t), mu[None]]).tolist()
        gap = split + t * divergence
        if gap < best_gap:
            best, best_gap, since = q, gap, 0
        gap_enough, divergence_enough = program.enough(q, slack)
        if gap <= gap_enough and divergence <= divergence_enough:
            if polished or program.accuracy > 0:
                return q, count, True
            polished = True  # one step more: the error of q, a root of the gap, is squared by it
        since += 1
        if count == ITERATIONS or since > PATIENCE or not math.isfinite(gap):
            break
        h = g if t == 0 else g + torch.where(same, bend[:, None], 0.0)
        factor, root = _factor(h, z / q, max(noise, 0.01 * mean))
        if factor is None:
            break

        def solve_(right: Tensor, factor: Tensor = factor, root: Tensor = root) -> Tensor:
            return root * torch.cholesky_solve((root * right)[:, None], factor)[:, 0]

        ones = solve_(torch.ones_like(c))

        def direction(target: Tensor, q=q, z=z, rest=rest, ones=ones, solve_=solve_) -> tuple[Tensor, Tensor]:
            dq = solve_(target / q - z - rest)
            dq = dq + (1 - q.sum() - dq.sum()) / ones.sum() * ones
            return dq, (target - z * dq) / q - z

        dq, dz = direction(torch.zeros_like(q))
        length = _longest(q, dq, z, dz)
        share = (q + length * dq) @ (z + length * dz) / (q @ z)
        dq, dz = direction(share**3 * mu - dq * dz)
        length = _longest(q, dq, z, dz)
        if length < SHORT:  # the second order was of no use: towards the centre
            dq, dz = direction((0.5 * mu).expand(m))
            length = _longest(q, dq, z, dz)
        length = min(BOUNDARY * length, 1.0)
        q = q + length * dq
        q, z = q / q.sum(), z + length * dz
        slack, gradient, bend = _derivatives(program, q)
    return best, count, best_gap <= NEARLY


def _derivatives(program: _Program, q: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
    """c + G q, the gradient of D, and T/Q by cuts (None at T = 0)."""
    slack = program.g @ q + program.c
    if program.t == 0:
        return slack, slack, None
    share = q.new_zeros(program.examples).index_add(0, program.owners, q)
    return slack, slack + program.t * (1 + share.log())[program.owners], (program.t / share)[program.owners]


def _factor(h: Tensor, barrier: Tensor, proximal: float) -> tuple[Tensor | None, Tensor]:
    """Lower factor of S (H + diag(z/q) + ρ) S, S = (z/q + ρ)^(−½), and S; ρ is raised until there is one."""
    for _ in range(RAISES):
        root = (barrier + proximal).rsqrt()
        factor, info = torch.linalg.cholesky_ex(root[:, None] * h * root + torch.diag(torch.ones_like(root)))
        if int(info) == 0:
            return factor, root
        proximal *= 100
    return None, root


def _longest(q: Tensor, dq: Tensor, z: Tensor, dz: Tensor) -> float:
    """Largest step along (dq, dz) that keeps q, z ≥ 0, at most 2."""
    fall = -float(torch.cat([dq / q, dz / z]).min())
    return 1 / fall if fall > 0.5 else 2.0
