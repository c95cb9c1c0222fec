"""The dual over cuts against closed forms, SciPy's SLSQP, the dual over examples, and its own two solvers."""

import itertools
import math
import time

import mpmath
import numpy as np
import pretended
import pytest
import torch
from scipy.optimize import minimize

from dirconv.flow import cut_dual, dual

KINDS = ["full", "low rank", "one direction", "duplicates", "nearly equal", "clusters", "huge values", "noise"]
KAPPAS = [1e-3, 1.0, 1e3]
TEMPERATURES = [1.0, 1e-2, 1e-4, 1e-7, 1e-10]  # in units of γ


def problem(kind, m, seed=0, kappa=1.0, examples=None):
    """G, c, owners: gradients of unit length or so, values from γ = 1 to 1.3, three cuts an example."""
    random = np.random.default_rng([m, seed])
    rank = {"low rank": max(1, m // 5), "one direction": 1}.get(kind, min(m + 2, 200))
    rows, values = random.normal(size=(m, rank)) / math.sqrt(rank), 1 + 0.3 * random.random(m)
    if kind == "duplicates":
        rows[m // 2 :], values[m // 2 :] = rows[: m - m // 2], values[: m - m // 2]
    if kind == "nearly equal":
        rows, values = rows[:1] + 1e-6 * rows, 1 + 1e-6 * values
    if kind == "clusters":
        which = random.integers(max(1, m // 5), size=m)
        rows, values = rows[which] + 1e-7 * rows, values[which] + 1e-7 * random.normal(size=m)
    if kind == "huge values":
        values = 1 + 10.0 ** random.uniform(-8, 4, size=m)
    gram = rows @ rows.T
    if kind == "noise":
        noise = random.normal(size=(m, m))
        gram += 1e-6 * (noise + noise.T) / 2
    owners = random.integers(examples or max(1, m // 3), size=m)
    return torch.tensor(kappa * gram), torch.tensor(values), torch.tensor(owners)


def objective(gram, values, owners, temperature, q):
    share = torch.zeros(int(owners.max()) + 1, dtype=q.dtype).index_add(0, owners, q)
    return float(0.5 * q @ gram @ q + values @ q + temperature * torch.special.xlogy(share, share).sum())


def distance(gram, p, q):
    """√((p − q)ᵀG(p − q)): how far apart the steps are, over √κ."""
    return math.sqrt(max(0.0, float((p - q) @ gram @ (p - q))))


def scale(gram, values):
    return float(gram.diagonal().max() + values.max() - values.min())


@pytest.fixture
def without_library(monkeypatch):
    monkeypatch.setattr(cut_dual, "_by_library", lambda program: (None, 0))


# closed forms


@pytest.mark.parametrize("temperature", [0.0, 1e-3])
def test_one_cut_has_all_the_weight(temperature):
    found = cut_dual.solve(torch.ones(1, 1), torch.ones(1), torch.tensor([7]), temperature)
    assert (found.q.tolist(), found.converged, found.gap) == ([1.0], True, 0.0)


@pytest.mark.parametrize("library", [True, False])
@pytest.mark.parametrize("kappa", [1e-6, 1.0, 1e6])
def test_a_weight_is_split_between_two_sides_of_a_kink(kappa, library, request):
    """Gradients a, b and values alike: the element of least norm of the segment, at ⟨b, b − a⟩/‖a − b‖² of a."""
    if not library:
        request.getfixturevalue("without_library")
    rows = torch.tensor([[1.0, 2.0], [1.0, -1.0]], dtype=torch.float64)
    found = cut_dual.solve(kappa * rows @ rows.T, torch.ones(2), torch.tensor([4, 4]), 0.0)
    assert found.converged
    assert found.q.tolist() == pytest.approx([1 / 3, 2 / 3], abs=1e-9)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_the_split_of_one_example_has_no_entropy(temperature):
    rows = torch.tensor([[1.0, 2.0], [1.0, -1.0]], dtype=torch.float64)
    found = cut_dual.solve(rows @ rows.T, torch.ones(2), torch.tensor([0, 0]), temperature)
    assert found.q.tolist() == pytest.approx([1 / 3, 2 / 3], abs=1e-9)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_without_a_matrix_examples_have_softmin_weights_of_their_lowest_cuts(temperature):
    values = 1 + temperature * torch.tensor([0.0, 2.0, 1.0, 5.0, 1.5], dtype=torch.float64)
    found = cut_dual.solve(torch.zeros(5, 5), values, torch.tensor([3, 3, 8, 8, 5]), temperature)
    expected = np.exp([0, -1, -1.5]) / np.exp([0, -1, -1.5]).sum()
    accuracy = max(1e-6, 1e-15 / temperature)  # the values' own rounding
    assert found.q[[0, 2, 4]].tolist() == pytest.approx(expected, abs=accuracy)
    assert float(found.q[[1, 3]].max()) < accuracy


@pytest.mark.parametrize("temperature", [0.0, *TEMPERATURES])
def test_cuts_that_are_alike_in_all_share_the_weight_of_one(temperature):
    """Exact duplicates within the examples change neither Q nor the step."""
    gram, values, owners = problem("full", 12, examples=6)
    copies = torch.tensor([0, 0, 0, *range(1, 12), 5, 11])
    once = cut_dual.solve(gram, values, owners, temperature)
    found = cut_dual.solve(gram[copies][:, copies], values[copies], owners[copies], temperature)
    merged = torch.zeros(12, dtype=torch.float64).index_add(0, copies, found.q)
    assert found.converged
    assert distance(gram, merged, once.q) < 1e-8
    assert objective(gram, values, owners, temperature, merged) == pytest.approx(
        objective(gram, values, owners, temperature, once.q), rel=1e-13
    )


# references


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("kind", ["full", "low rank", "one direction", "duplicates"])
@pytest.mark.parametrize("kappa", [1e-3, 1.0, 10.0])  # at 1,000 the dual over examples does not solve all of them
def test_with_one_cut_an_example_it_is_the_dual_over_examples(kind, kappa, temperature):
    gram, values, _ = problem(kind, 40, kappa=kappa)
    found = cut_dual.solve(gram, values, torch.arange(40), temperature)
    known = dual.solve(gram / temperature, values / temperature)
    assert found.converged
    assert known.converged
    # at the lowest temperatures what is known is known to (c + G q)'s rounding over T, in ln q
    accuracy = max(1e-6, 1e-15 * scale(gram, values) / temperature)
    assert float((found.q - known.q).abs().max()) < accuracy
    assert distance(gram, found.q, known.q) < 1e-8 * scale(gram, values)


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("kappa", [1e-2, 1.0, 1e2])
def test_two_examples_have_the_weights_of_mpmath(kappa, temperature):
    """With one cut each, Q is one root u of u T + (c + G q)_0 − (c + G q)_1 = 0, u = ln(Q_0/Q_1): by bisection."""
    gram = kappa * torch.tensor([[1.0, 0.25], [0.25, 2.0]], dtype=torch.float64)
    values = torch.tensor([1.0, 1.0 + 0.25 * kappa], dtype=torch.float64)
    with mpmath.workdps(60):
        low, high = mpmath.mpf(-1e13), mpmath.mpf(1e13)
        for _ in range(250):
            u = (low + high) / 2
            first = 1 / (1 + mpmath.exp(-u))
            q = [first, 1 - first]
            slack = [values[i].item() + sum(gram[i, j].item() * q[j] for j in (0, 1)) for i in (0, 1)]
            low, high = (low, u) if u * temperature + slack[0] - slack[1] > 0 else (u, high)
    copies = torch.tensor([0, 1, 1])  # the second example with its cut twice
    found = cut_dual.solve(gram[copies][:, copies], values[copies], copies, temperature)
    assert found.converged
    assert float(found.q[0]) == pytest.approx(float(q[0]), abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("temperature", [1.0, 0.1, 0.01])
def test_slsqp_finds_no_less(temperature, seed):
    gram, values, owners = problem("full", 9, seed, examples=3)
    found = cut_dual.solve(gram, values, owners, temperature)
    sums = {"type": "eq", "fun": lambda q: q.sum() - 1}
    reference = minimize(
        lambda q: objective(gram, values, owners, temperature, torch.tensor(q)),
        np.full(9, 1 / 9),
        bounds=[(1e-12, 1)] * 9,
        constraints=[sums],
        options={"ftol": 1e-13, "maxiter": 500},
    )
    assert objective(gram, values, owners, temperature, found.q) == pytest.approx(reference.fun, rel=1e-9)


@pytest.mark.parametrize(("kind", "kappa"), list(itertools.product(KINDS, KAPPAS)))
@pytest.mark.parametrize("m", [3, 30, 200])
def test_the_interior_point_finds_what_the_library_finds(kind, m, kappa, monkeypatch):
    gram, values, owners = problem(kind, m, kappa=kappa)
    library = cut_dual.solve(gram, values, owners, 0.0)
    monkeypatch.setattr(cut_dual, "_by_library", lambda program: (None, 0))
    own = cut_dual.solve(gram, values, owners, 0.0)
    assert library.converged
    assert own.converged
    assert own.iterations <= cut_dual.ITERATIONS
    at = [objective(gram, values, owners, 0.0, found.q) for found in (library, own)]
    assert at[0] == pytest.approx(at[1], rel=1e-10)
    assert distance(gram, library.q, own.q) < 1e-7 * scale(gram, values)


@pytest.mark.parametrize(("kind", "kappa"), list(itertools.product(KINDS, KAPPAS)))
@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_every_temperature_converges_on_cuts_of_every_kind(kind, kappa, temperature):
    gram, values, owners = problem(kind, 150, 1, kappa)
    found = cut_dual.solve(gram, values, owners, temperature)
    assert found.converged
    assert found.iterations <= 2 * cut_dual.ITERATIONS  # in rounds of a few
    assert float(found.q.min()) >= 0
    assert float(found.q.sum()) == pytest.approx(1, abs=1e-14)
    if kind != "noise":  # there G as it was given has a gap of its own
        assert found.gap <= 1e-12 * (scale(gram, values) + float(gram.abs().max()))


def test_one_example_may_have_fifty_cuts():
    gram, values, owners = problem("full", 80)
    owners[:50] = 3
    for temperature in (0.0, *TEMPERATURES):
        found = cut_dual.solve(gram, values, owners, temperature)
        assert found.converged
        assert found.gap < 1e-12


@pytest.mark.parametrize("temperature", [0.0, 1e-1, 1e-3, 1e-6])
@pytest.mark.parametrize("kind", ["full", "clusters"])
@pytest.mark.parametrize("kappa", KAPPAS)
def test_a_few_cuts_at_a_time_lead_to_what_all_at_once_do(kind, kappa, temperature, monkeypatch):
    gram, values, owners = problem(kind, 120, kappa=kappa)
    few = cut_dual.solve(gram, values, owners, temperature)
    monkeypatch.setattr(cut_dual, "_first", lambda g, c, *_: torch.arange(len(c)))
    every = cut_dual.solve(gram, values, owners, temperature)
    assert few.converged
    assert every.converged
    assert distance(gram, few.q, every.q) < 1e-7 * scale(gram, values)


def test_an_example_that_was_left_out_at_first_has_its_weight_at_the_solution(monkeypatch):
    """Example 1 lies T ln 3 above where the kink of example 0 is split: never below it, and with a quarter of it."""
    monkeypatch.setattr(cut_dual, "_first", lambda *_: torch.arange(2))
    temperature = 0.01
    rows = torch.tensor([[1.0, 2.0], [1.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    split = torch.tensor([1 / 3, 2 / 3], dtype=torch.float64)
    level = float((rows[:2] @ rows[:2].T @ split)[0])
    values = torch.tensor([0.0, 0.0, level - 1.0 + temperature * math.log(3)], dtype=torch.float64)
    found = cut_dual.solve(rows @ rows.T, values, torch.tensor([0, 0, 1]), temperature)
    assert found.converged  # Jᵀq is (1, 0) for any share of example 1, as long as 0 is split so
    assert found.q.tolist() == pytest.approx([0.25, 0.5, 0.25], abs=1e-9)


# T → 0


@pytest.mark.parametrize("kappa", [1e-2, 1.0, 1e2])
@pytest.mark.parametrize("temperature", [1.0, 1e-2, 1e-4, 1e-6, 1e-8])
def test_the_step_at_a_temperature_is_within_its_bound_of_the_one_at_none(kappa, temperature):
    """‖x⁺_T − x⁺_0‖ ≤ (κ T ln E)^½, (6a.4): κ is in G, so that the distance here is that over κ^½."""
    gram, values, owners = problem("clusters", 100, kappa=kappa)
    cold = cut_dual.solve(gram, values, owners, 0.0)
    warm = cut_dual.solve(gram, values, owners, temperature)
    examples = len(owners.unique())
    assert distance(gram, warm.q, cold.q) <= math.sqrt(temperature * math.log(examples)) + 1e-7


def test_an_entropy_that_float64_does_not_resolve_is_none():
    gram, values, owners = problem("full", 30)
    cold, frozen = (cut_dual.solve(gram, values, owners, t) for t in (0.0, 1e-16))
    assert torch.equal(cold.q, frozen.q)


# size, devices, bad input


@pytest.mark.parametrize("kind", ["low rank", "duplicates"])
def test_five_thousand_cuts_take_seconds(kind):
    gram, values, owners = problem("full" if kind == "low rank" else kind, 5000)  # of rank 200
    began = time.process_time()
    found = cut_dual.solve(gram, values, owners, 0.0)
    assert found.converged
    assert found.gap < 1e-12
    assert time.process_time() - began < 20


def test_on_another_device_the_library_is_not_asked_and_the_answer_is_the_same(monkeypatch):
    def forbidden():
        raise AssertionError("piqp is called")

    gram, values, owners = problem("clusters", 60)
    with monkeypatch.context() as patch:
        patch.setattr(cut_dual, "_by_library", lambda program: (None, 0))
        expected = [cut_dual.solve(gram, values, owners, t) for t in (0.0, 1e-2, 1e-6)]
    monkeypatch.setattr(cut_dual.piqp, "DenseSolver", forbidden)
    with pretended.pretended():
        on_gpu = [x.to("cuda") for x in (gram, values, owners)]
        found = [cut_dual.solve(*on_gpu, t) for t in (0.0, 1e-2, 1e-6)]
        weights = [each.q for each in found]
        assert all(q.is_cuda for q in weights)
        there = [q.cpu() for q in weights]
    for each, q, known in zip(found, there, expected, strict=True):
        assert each.converged
        assert torch.equal(q, known.q)


def test_a_library_that_fails_is_made_up_for(monkeypatch):
    gram, values, owners = problem("full", 30)
    expected = cut_dual.solve(gram, values, owners, 0.0)
    monkeypatch.setattr(cut_dual, "LIBRARY_GAP", -1.0)  # no answer is good enough
    found = cut_dual.solve(gram, values, owners, 0.0)
    assert found.converged
    assert found.iterations > expected.iterations
    assert distance(gram, found.q, expected.q) < 1e-8


@pytest.mark.parametrize("temperature", [0.0, 1e-3])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("where", ["gram", "values"])
def test_what_is_not_finite_has_not_converged(where, bad, temperature):
    gram, values, owners = problem("full", 6)
    (gram if where == "gram" else values).view(-1)[3] = bad
    found = cut_dual.solve(gram, values, owners, temperature)
    assert not found.converged
    assert math.isnan(found.gap)
    assert found.q.tolist() == pytest.approx([1 / 6] * 6)


def test_a_temperature_that_is_not_a_number_has_not_converged():
    assert not cut_dual.solve(*problem("full", 6), math.nan).converged


def test_bad_input_is_refused_in_one_line():
    gram, values, owners = problem("full", 6)
    with pytest.raises(ValueError, match="do not fit"):
        cut_dual.solve(gram, values, owners[:5], 0.0)
    with pytest.raises(ValueError, match="is negative"):
        cut_dual.solve(gram, values, owners, -1.0)
    with pytest.raises(ValueError, match="do not fit"):
        cut_dual.solve(gram[:0, :0], values[:0], owners[:0], 0.0)
