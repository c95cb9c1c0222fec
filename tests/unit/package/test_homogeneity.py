"""The check of a degree: of exact maps, with a wrong degree, and of parameters that start at zero."""

import pytest
import torch

from dirconv.homogeneity import deviations


def cubic(exact_map, degree):
    """p(W) = ((w₁ + w₂)³, w₁² w₃): degree 3, whatever is declared."""
    return exact_map(lambda w: torch.stack([(w[0] + w[1]) ** 3, w[0] ** 2 * w[2]])[:, None], degree)


WEIGHTS = torch.tensor([1.0, 0.5, -2.0], dtype=torch.float64)

SCALES = (0.25, 0.8, 2.0, 4.0)


@pytest.mark.parametrize("degree", [3, None])
def test_homogeneity_of_an_exact_map(exact_map, degree):
    rows = deviations(cubic(exact_map, degree), WEIGHTS, SCALES, torch.Generator().manual_seed(0))
    assert [row["scale"] for row in rows] == list(SCALES)
    for row in rows:
        assert row["estimated_degree"] == pytest.approx(3, abs=1e-13)
        assert row["degree"] == pytest.approx(3, abs=1e-13)
        assert row["deviation"] < 1e-13


@pytest.mark.parametrize("declared", [1, 2, 4])
def test_homogeneity_with_a_wrong_degree_deviates_by_a_power_of_the_scale(exact_map, declared):
    for row in deviations(cubic(exact_map, declared), WEIGHTS, SCALES, torch.Generator().manual_seed(0)):
        assert row["estimated_degree"] == pytest.approx(3, abs=1e-13)
        assert row["degree"] == declared
        assert row["deviation"] == pytest.approx(abs(row["scale"] ** (3 - declared) - 1), rel=1e-12)


@pytest.mark.parametrize("degree", [3, None])
def test_homogeneity_sees_parameters_that_start_at_zero(exact_map, degree):
    offset = exact_map(lambda w: (w[:1] ** 3 + w[1])[:, None], degree)  # a bias, at zero
    rows = deviations(offset, torch.tensor([1.0, 0.0]).double(), SCALES, torch.Generator().manual_seed(0))
    assert max(row["deviation"] for row in rows) > 1e-3 or degree is None
    assert any(abs(row["estimated_degree"] - 3) > 1e-3 for row in rows)
