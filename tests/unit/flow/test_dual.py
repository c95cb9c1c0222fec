"""q = softmax(−(b + A q)) against closed forms, mpmath, and the quadratic program that it is at large scales."""

import itertools
import math

import mpmath
import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from dirconv.flow import dual

SCALES = [1.0, 1e2, 1e4, 1e6, 1e8, 1e10, 1e12]
SEEDS = list(itertools.product([2, 3, 6, 20, 60], range(3)))
KINDS = ["full", "singular", "one direction", "duplicates", "nearly equal"]


def solve(a, b, start=None):
    """NumPy to NumPy: q and ln q."""
    found = dual.solve(*(torch.from_numpy(np.asarray(x, dtype=float)) for x in (a, b)), start)
    return found.q.numpy(), found.ln_q.numpy()


def problem(kind, n, seed, scale=1.0):
    """A Gram matrix of vectors of unit length or so, and offsets, both times the scale."""
    random = np.random.default_rng([n, seed])
    rank = {"singular": max(1, n // 2), "one direction": 1}.get(kind, n + 2)
    z = random.normal(size=(n, rank)) / math.sqrt(rank)
    b = random.normal(size=n)
    if kind == "duplicates":
        z[n // 2 :], b[n // 2 :] = z[: n - n // 2], b[: n - n // 2]
    if kind == "nearly equal":
        z, b = z[:1] + 1e-6 * z, 1e-6 * b
    return scale * z @ z.T, scale * b


def residual(a, b, q, ln_q):
    """b + A q + ln q without its mean: zero at the solution."""
    found = b + a @ q + ln_q
    return found - q @ found


# closed forms


@pytest.mark.parametrize("scale", SCALES)
def test_without_a_matrix_it_is_the_softmax(scale):
    b = scale * np.random.default_rng(0).normal(size=50)
    _, ln_q = solve(np.zeros((50, 50)), b)
    np.testing.assert_allclose(ln_q, -b - np.logaddexp.reduce(-b), rtol=1e-13, atol=1e-9)


@pytest.mark.parametrize("scale", SCALES)
def test_one_example_has_all_the_weight(scale):
    q, ln_q = solve([[scale]], [-3 * scale])
    assert (q[0], ln_q[0]) == (1, 0)


@pytest.mark.parametrize("n", [2, 3, 10, 100])
@pytest.mark.parametrize("scale", SCALES)
def test_examples_that_are_alike_have_equal_weights(scale, n):
    q, ln_q = solve(scale * np.eye(n), np.full(n, -2 * scale))
    np.testing.assert_allclose(q, 1 / n, rtol=1e-12)
    np.testing.assert_allclose(ln_q, -math.log(n), rtol=1e-12)


def test_examples_that_are_alike_share_the_weight_of_one():
    """m copies of an example at offset b are one example at b − ln m."""
    a, b = problem("full", 3, 0, 50.0)
    copies = [0, 0, 0, 1, 2, 2]
    q, _ = solve(a[np.ix_(copies, copies)], b[copies])
    merged, _ = solve(a, b - np.log([3, 1, 2]))
    np.testing.assert_allclose([q[:3].sum(), q[3], q[4:].sum()], merged, rtol=1e-7, atol=1e-30)
    np.testing.assert_allclose(q[:3], q[0], rtol=1e-7)


@pytest.mark.parametrize("scale", [1.0, 1e2, 1e4, 1e6, 1e8, 1e10])
@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([[1.0, 0.3], [0.3, 2.0]], [0.1, -0.2]),
        ([[2.0, -1.0], [-1.0, 1.5]], [0.5, 0.4]),
        ([[1.0, -1.0], [-1.0, 1.0]], [0.3, 0.0]),
        ([[4.0, 2.0], [2.0, 1.0]], [0.0, 1.5]),
    ],
)
def test_two_examples_are_the_root_of_one_equation(a, b, scale):
    """d = ln q₁ − ln q₂ solves d + b₁ − b₂ + (A₁₁ − A₁₂) q₁ − (A₂₂ − A₁₂) q₂ = 0, q₁ = 1/(1 + e^(−d))."""
    a, b = scale * np.array(a), scale * np.array(b)
    q, ln_q = solve(a, b)
    with mpmath.workdps(60):
        (a11, a12), (_, a22) = [[mpmath.mpf(float(x)) for x in row] for row in a]
        b1, b2 = (mpmath.mpf(float(x)) for x in b)

        def rest(d):
            first = 1 / (1 + mpmath.exp(-d))
            return d + b1 - b2 + (a11 - a12) * first - (a22 - a12) * (1 - first)

        reach = 20 * scale + 20
        low, high = mpmath.mpf(-reach), mpmath.mpf(reach)
        for _ in range(200):
            d = (low + high) / 2
            low, high = (d, high) if rest(d) < 0 else (low, d)
        exact = [float(-mpmath.log1p(mpmath.exp(-d))), float(-mpmath.log1p(mpmath.exp(d)))]
    np.testing.assert_allclose(q, np.exp(exact), rtol=0, atol=1e-9)
    np.testing.assert_allclose(ln_q, exact, rtol=1e-9, atol=1e-6)


# optimality


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", SCALES)
def test_where_there_is_weight_the_equation_holds(scale, kind):
    for n, seed in SEEDS:
        a, b = problem(kind, n, seed, scale)
        q, ln_q = solve(a, b)
        assert q.sum() == pytest.approx(1, abs=1e-12)
        assert np.abs(q * residual(a, b, q, ln_q)).max() <= 1e-8 + 1e-9 * scale, (n, seed)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", SCALES)
def test_logarithms_are_exact_where_nothing_is_left_of_the_weight(scale, kind):
    for n, seed in SEEDS:
        a, b = problem(kind, n, seed, scale)
        q, ln_q = solve(a, b)
        small = q < 1e-10
        assert np.abs(residual(a, b, q, ln_q)[small]).max(initial=0) <= 1e-8 * scale + 1e-8, (n, seed)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", SCALES)
def test_the_gap_of_the_program_is_below_the_entropys(scale, kind):
    """gᵀq − min g, g = A q + b, bounds what ½ qᵀA q + bᵀq may still fall; at the minimum with entropy it is ≤ ln n."""
    for n, seed in SEEDS:
        a, b = problem(kind, n, seed, scale)
        q, _ = solve(a, b)
        slope = a @ q + b
        assert q @ slope - slope.min() <= math.log(n) + 1e-8 * scale, (n, seed)


@pytest.mark.parametrize("far", [50.0, 800.0, 1e5, 1e9])
def test_a_far_example_takes_no_part_and_has_its_exact_logarithm(far):
    a, b = problem("full", 5, 1, 3.0)
    more_a, more_b = problem("full", 6, 1, 3.0)
    more_a[:5, :5], more_b[:5], more_b[5] = a, b, far
    more_a[5, 5] += 20  # positive definite again
    q, ln_q = solve(more_a, more_b)
    without, _ = solve(a, b)
    np.testing.assert_allclose(q[:5], without, rtol=1e-8)
    level = -(b + a @ without)
    expected = -(far + more_a[5, :5] @ without) - np.logaddexp.reduce(level)
    assert ln_q[5] == pytest.approx(expected, rel=1e-9)


# the quadratic program


def vertices(a, b):
    """The minimum of ½ qᵀA q + bᵀq over the simplex, from all supports, and where it is."""
    best = (math.inf, None)
    for size in range(1, len(b) + 1):
        for support in itertools.combinations(range(len(b)), size):
            inside = list(support)
            system = np.block([[a[np.ix_(inside, inside)], np.ones((size, 1))], [np.ones((1, size)), np.zeros((1, 1))]])
            q = np.zeros(len(b))
            q[inside] = np.linalg.lstsq(system, np.append(-b[inside], 1.0))[0][:size]
            if q.min() >= -1e-12 and abs(q.sum() - 1) < 1e-9:
                best = min(best, (0.5 * q @ a @ q + b @ q, tuple(q)))
    return best[0], np.array(best[1])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [1e6, 1e8, 1e10, 1e12])
def test_at_large_scales_it_is_the_minimum_of_the_program(scale, kind):
    """The entropy moves the value by ln n at most."""
    for n, seed in itertools.product([3, 6], range(4)):
        a, b = problem(kind, n, seed)
        least, _ = vertices(a, b)
        q, _ = solve(scale * a, scale * b)
        assert least - 1e-9 <= 0.5 * q @ a @ q + b @ q <= least + math.log(n) / scale + 1e-9, (n, seed)


@pytest.mark.parametrize("kind", ["full", "singular"])
def test_a_library_finds_no_lower_value_of_the_program(kind):
    a, b = problem(kind, 12, 2)
    scale = 1e9
    found = minimize(
        lambda q: 0.5 * q @ a @ q + b @ q,
        np.full(12, 1 / 12),
        jac=lambda q: a @ q + b,
        bounds=[(0, 1)] * 12,
        constraints={"type": "eq", "fun": lambda q: q.sum() - 1, "jac": lambda q: np.ones(12)},
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 500},
    )
    q, _ = solve(scale * a, scale * b)
    assert 0.5 * q @ a @ q + b @ q == pytest.approx(found.fun, abs=1e-8)


@pytest.mark.parametrize("kind", ["full", "singular", "duplicates"])
def test_a_library_finds_the_same_minimum_with_the_entropy(kind):
    a, b = problem(kind, 5, 3, 2.0)
    found = minimize(
        lambda u: 0.5 * (p := np.exp(u - np.logaddexp.reduce(u))) @ a @ p + b @ p + p @ np.log(p),
        np.zeros(5),
        method="BFGS",
        options={"gtol": 1e-10},
    )
    exact = np.exp(found.x - np.logaddexp.reduce(found.x))
    np.testing.assert_allclose(solve(a, b)[0], exact, atol=1e-6)


# where it starts, and the order of the examples


def test_a_good_start_saves_work():
    a, b = (torch.from_numpy(x) for x in problem("full", 40, 0, 1e6))
    cold = dual.solve(a, b)
    warm = dual.solve(a, b + 1e-3, cold.ln_q)
    assert warm.converged
    assert warm.factorizations <= 2 < cold.factorizations


def test_where_a_factorisation_is_dear_a_start_that_leads_nowhere_is_soon_given_up(monkeypatch):
    a, b = (torch.from_numpy(x) for x in problem("full", 60, 0, 1e7))
    b = 0.01 * b  # so that half of the examples have a weight
    cold = dual.solve(a, b)
    far = torch.log_softmax(-60 * torch.rand(60, generator=torch.Generator().manual_seed(0)).double(), 0)
    near = torch.log_softmax(cold.ln_q.clamp(min=-60) + 1e-3 * far, 0)
    patient = [dual.solve(a, b, start) for start in (near, far)]
    monkeypatch.setattr(dual, "LARGE", 59)
    good, bad = (dual.solve(a, b, start) for start in (near, far))
    assert torch.equal(good.ln_q, patient[0].ln_q) and good.factorizations == patient[0].factorizations < 10
    # what follows is the solution without a start, to the bit
    assert torch.equal(bad.ln_q, cold.ln_q) and torch.equal(patient[1].ln_q, cold.ln_q)
    assert patient[1].factorizations == cold.factorizations + 20
    assert bad.factorizations == cold.factorizations + dual.TRIED + 1


@pytest.mark.parametrize("kind", ["full", "singular", "nearly equal"])
@pytest.mark.parametrize("scale", SCALES)
def test_the_solution_does_not_depend_on_the_start(scale, kind):
    a, b = (torch.from_numpy(x) for x in problem(kind, 20, 7, scale))
    cold = dual.solve(a, b)
    assert cold.converged
    random = torch.Generator().manual_seed(0)
    for spread in (1.0, 30.0):
        start = torch.log_softmax(spread * torch.randn(20, generator=random, dtype=torch.float64), 0)
        warm = dual.solve(a, b, start)
        change = warm.q - cold.q
        assert float(change @ a @ change) <= 1e-8 * scale  # what a step moves by, squared


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [1.0, 1e3, 1e6])
def test_the_order_of_the_examples_does_not_matter(scale, kind):
    a, b = problem(kind, 15, 4, scale)
    order = np.random.default_rng(0).permutation(15)
    q, _ = solve(a, b)
    other, _ = solve(a[np.ix_(order, order)], b[order])
    np.testing.assert_allclose(other, q[order], rtol=0, atol=1e-7)


def test_a_constant_in_b_is_no_matter():
    a, b = problem("full", 8, 0, 30.0)
    np.testing.assert_allclose(solve(a, b + 1e3)[0], solve(a, b)[0], rtol=1e-8, atol=1e-12)


def test_a_matrix_that_is_not_positive_is_refused():
    with pytest.raises(ArithmeticError, match="positive semi-definite"):
        solve(-1e6 * np.eye(3), np.zeros(3))
