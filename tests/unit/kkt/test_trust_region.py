"""The least of a quadratic model in a ball, against eigenvalues of matrices that are small enough to have them."""

import numpy as np
import pytest
import torch

from dirconv.kkt.trust_region import Krylov

SIZE = 30


def problem(seed, least, slope=1.0):
    """A symmetric matrix with eigenvalues from `least` to 2, and a slope that has a part along each."""
    draw = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(draw.normal(size=(SIZE, SIZE)))
    matrix = basis @ np.diag(np.linspace(least, 2, SIZE)) @ basis.T
    return torch.from_numpy(matrix), slope * torch.from_numpy(draw.normal(size=SIZE)), torch.from_numpy(basis)


def model(matrix, b, t):
    return float(b @ t + 0.5 * t @ matrix @ t)


def optimal(matrix, b, t, radius):
    """The conditions of Moré and Sorensen: (A + λ) t = −b, A + λ not negative, λ ≥ 0 and 0 unless ‖t‖ = r."""
    shift = -float(t @ (matrix @ t + b)) / float(t @ t)
    assert float((matrix @ t + shift * t + b).norm()) < 1e-8 * float(b.norm())
    assert shift > max(0.0, -float(torch.linalg.eigvalsh(matrix)[0])) - 1e-8
    assert float(t.norm()) == pytest.approx(radius, rel=1e-8) or abs(shift) < 1e-8


@pytest.mark.parametrize("least", [0.1, -0.5])
@pytest.mark.parametrize("radius", [0.01, 1.0, 1000.0])
def test_the_step_meets_the_conditions_that_make_it_the_least(least, radius):
    matrix, b, _ = problem(0, least)
    t, value = Krylov(lambda v: matrix @ v, b, SIZE).solve(radius, 1e-10)
    optimal(matrix, b, t, radius)
    assert value == pytest.approx(model(matrix, b, t), rel=1e-9)


def test_a_smaller_radius_costs_no_product():
    matrix, b, _ = problem(1, -0.5)
    spent = []

    def product(v):
        spent.append(v)
        return matrix @ v

    krylov = Krylov(product, b, SIZE)
    krylov.solve(1.0, 1e-10)
    before = len(spent)
    t, _ = krylov.solve(0.3, 1e-10)
    optimal(matrix, b, t, 0.3)
    assert len(spent) == before


def test_where_the_slope_has_almost_no_part_along_the_lowest_eigenvector_the_step_still_goes_there():
    matrix, b, basis = problem(2, -0.5)
    lowest = basis[:, 0]
    b = b - (b @ lowest) * (1 - 1e-9) * lowest
    t, value = Krylov(lambda v: matrix @ v, b, SIZE).solve(50.0, 1e-10)
    assert float(t.norm()) == pytest.approx(50.0, rel=1e-8)
    # nearly all of the ball's radius is along it
    assert abs(float(t @ lowest)) > 49
    assert value == pytest.approx(model(matrix, b, t), rel=1e-6)


def test_few_vectors_give_the_best_step_of_their_span():
    matrix, b, _ = problem(3, 0.1)
    values = [Krylov(lambda v: matrix @ v, b, count).solve(3.0, 0.0)[1] for count in (1, 2, 4, 8)]
    assert values == sorted(values, reverse=True)
    # of one vector it is the steepest descent's
    slope, bend = float(b @ b), float(b @ matrix @ b)
    length = min(slope / bend, 3 / slope**0.5)
    assert values[0] == pytest.approx(-length * slope + 0.5 * length**2 * bend, rel=1e-12)


def test_a_basis_that_is_exhausted_ends_the_search():
    matrix = torch.diag(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64))
    t, _ = Krylov(lambda v: matrix @ v, torch.tensor([0.0, 4.0, 0.0], dtype=torch.float64), 3).solve(10.0, 0.0)
    assert torch.allclose(t, torch.tensor([0.0, -2.0, 0.0], dtype=torch.float64))


def test_the_least_curvature_and_its_direction():
    matrix, b, basis = problem(4, -0.5)
    curvature, way = Krylov(lambda v: matrix @ v, b, SIZE).lowest(SIZE)
    assert curvature == pytest.approx(-0.5, abs=1e-10)
    assert abs(float(way @ basis[:, 0])) == pytest.approx(1, abs=1e-8)
