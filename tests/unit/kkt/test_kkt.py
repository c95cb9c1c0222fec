"""The KKT certificate against support vector machines, problems solved by hand, and its own definition."""

import math

import numpy as np
import pytest
import torch

from dirconv import kkt
from dirconv.margins.function import FunctionMap
from dirconv.oracles import hard_margin

ROWS = np.array([[1.0, 0.2, 0.3], [0.3, 1.1, -0.2], [0.5, 0.4, 1.3], [1.4, -0.3, 0.6]])


def linear(rows):
    z = torch.as_tensor(np.asarray(rows, dtype=float))
    return FunctionMap(lambda w: (z @ w)[:, None], 1)


def unit(*values):
    w = torch.tensor(values, dtype=torch.float64)
    return w / w.norm()


def cubic(rows):
    """Degree 3 and several classes: p_ik = ⟨w, z_ik⟩³."""
    z = torch.as_tensor(np.asarray(rows, dtype=float))
    return FunctionMap(lambda w: (z @ w) ** 3, 3)


class Given:
    """Cuts from given gradients (m, D)."""

    def __init__(self, gradients, theta, owners):
        self.gradients = torch.as_tensor(np.asarray(gradients, dtype=float))
        self.owners, self.inner = torch.as_tensor(owners), self.gradients @ theta

    def gram(self):
        return self.gradients @ self.gradients.T

    def pullback(self, q):
        return q @ self.gradients


def test_at_the_maximum_margin_of_a_linear_classifier_the_multipliers_are_the_svms_dual():
    best = hard_margin.solve(ROWS)
    found = kkt.certificate(linear(ROWS), torch.from_numpy(best.predictor))
    assert found.epsilon < 1e-14 / best.lower
    assert found.delta < 1e-12
    assert found.margin == pytest.approx(best.lower, rel=1e-12)
    # W = Σ λ z with ‖W‖ = 1/γ, and q = λ/Σλ the nearest point of the hull: Σλ = 1/γ²
    assert np.allclose(found.per_example, best.dual / best.lower**2, rtol=0, atol=1e-10)
    assert found.support.tolist() == np.flatnonzero(best.dual).tolist()


def test_two_examples_by_hand():
    # z = (1, 0) and (0, 1), the direction turned by t from the diagonal: only the first example may carry a multiplier
    t = 0.2
    theta = unit(math.cos(math.pi / 4 + t), math.sin(math.pi / 4 + t))
    found = kkt.certificate(linear(np.eye(2)), theta)
    gamma = math.cos(math.pi / 4 + t)
    # λ = ⟨θ̃, z₁⟩ = 1 leaves θ̃'s second coordinate, tan(π/4 + t)
    assert found.multipliers.flatten().tolist() == pytest.approx([1.0, 0.0], abs=1e-14)
    assert found.epsilon == pytest.approx(math.tan(math.pi / 4 + t), rel=1e-14)
    assert found.epsilon_relative == pytest.approx(math.sin(math.pi / 4 + t), rel=1e-14)
    assert found.margin == pytest.approx(gamma, rel=1e-14)
    assert found.delta == 0
    # with enough slack both may: ε vanishes, and δ is that of λ₂ = p̃₂ = tan
    tan = math.tan(math.pi / 4 + t)
    wide = kkt.certificate(linear(np.eye(2)), theta, slack=tan)
    assert wide.epsilon < 1e-14
    assert wide.delta == pytest.approx(tan * (tan - 1), rel=1e-13)


def test_the_linearised_problem_of_a_linear_classifier_is_the_svm_itself_wherever_it_is_asked():
    best = hard_margin.solve(ROWS)
    theta = unit(*(best.predictor + np.array([0.05, -0.08, 0.03])))
    found = kkt.certificate(linear(ROWS), theta, slack=None)
    assert np.allclose(found.per_example, best.dual / best.lower**2, rtol=0, atol=1e-10)
    # Σ λ z is the SVM's W, so ε is the distance from it
    w = torch.from_numpy(best.predictor) / best.lower
    assert found.epsilon == pytest.approx(float((theta / found.margin - w).norm()), rel=1e-10)


def test_softmin_weights_give_the_identity_with_the_alignment():
    found = cubic(np.random.default_rng(0).normal(size=(6, 2, 4)) + np.array([3.0, 0, 0, 0]))
    theta = unit(1.0, 0.1, -0.2, 0.1)
    margins = found.values(theta)
    cuts = kkt.RowCuts.at(found, theta, torch.arange(6))
    q = torch.softmax(-margins.flatten(), 0)
    v = cuts.pullback(q)
    cos = float(theta @ v / v.norm())
    judged = kkt.certify(cuts, theta, margins, 3, weights=q / v.norm())
    assert judged.epsilon == pytest.approx(math.sqrt(2 * (1 - cos)) * float(margins.min()) ** (-1 / 3), rel=1e-9)
    best = kkt.certify(cuts, theta, margins, 3, slack=math.inf)
    assert best.epsilon < judged.epsilon
    combination = cuts.pullback(best.of_cuts)
    assert float(theta @ combination / combination.norm()) == pytest.approx(
        math.sqrt(1 - best.epsilon_relative**2), rel=1e-12
    )


def test_it_is_the_definition_at_the_scaled_point():
    found = cubic(np.random.default_rng(1).normal(size=(5, 2, 4)) + np.array([3.0, 0, 0, 0]))
    theta = unit(1.0, 0.05, -0.1, 0.05)
    certificate = kkt.certificate(found, theta, slack=math.inf)
    point = theta / certificate.margin ** (1 / 3)
    margins, pullback = found.linearize(point)
    assert float(margins.min()) == pytest.approx(1, rel=1e-13)
    residual = point - pullback(certificate.multipliers)
    assert certificate.epsilon == pytest.approx(float(residual.norm()), rel=1e-12)
    assert certificate.delta == pytest.approx(float((certificate.multipliers * (margins - 1)).max()), rel=1e-12)
    assert certificate.delta > 0
    assert bool((certificate.multipliers >= 0).all())


def test_a_row_that_is_there_twice_changes_nothing_but_how_its_multiplier_is_shared():
    theta = torch.from_numpy(hard_margin.solve(ROWS).predictor)
    once = kkt.certificate(linear(ROWS), theta)
    twice = kkt.certificate(linear(np.vstack([ROWS, ROWS])), theta)
    assert twice.epsilon == pytest.approx(once.epsilon, abs=1e-13)
    assert np.allclose(twice.per_example[:4] + twice.per_example[4:], once.per_example, rtol=0, atol=1e-10)


@pytest.mark.parametrize("slack", [0.01, None])
def test_hundreds_of_nearly_equal_cuts_of_low_rank_are_solved(slack):
    random = np.random.default_rng(2)
    best = hard_margin.solve(ROWS)
    theta = torch.from_numpy(best.predictor)
    owners = random.integers(0, 4, 500)
    near = ROWS[owners] * (1 + 1e-9 * random.normal(size=(500, 1)))
    margins = torch.from_numpy(ROWS @ best.predictor)[:, None]
    found = kkt.certify(Given(near, theta, owners), theta, margins, 1, slack=slack)
    assert found.epsilon_relative < 1e-8
    assert np.allclose(found.per_example, best.dual / best.lower**2, rtol=0, atol=1e-6)


def test_at_a_kink_the_multiplier_of_an_example_is_shared_by_its_cuts():
    # p = min(w₁ + w₂, w₁ − w₂) has its maximum on the kink w₂ = 0, where neither side's gradient is along w
    theta = unit(1.0, 0.0)
    margins = torch.ones(1, 1, dtype=torch.float64)
    one_side = kkt.certify(Given([[1, 1]], theta, [0]), theta, margins, 1)
    both = kkt.certify(Given([[1, 1], [1, -1]], theta, [0, 0]), theta, margins, 1)
    assert one_side.epsilon == pytest.approx(math.sqrt(0.5), rel=1e-14)
    assert both.epsilon < 1e-15
    assert both.of_cuts.tolist() == pytest.approx([0.5, 0.5], rel=1e-14)
    assert both.per_example.tolist() == pytest.approx([1.0], rel=1e-14)


def test_a_cut_without_a_gradient_has_no_multiplier():
    theta = unit(1.0, 0.0)
    margins = torch.tensor([[1.0], [1.0]], dtype=torch.float64)
    found = kkt.certify(Given([[1, 0], [0, 0]], theta, [0, 1]), theta, margins, 1)
    assert found.multipliers.flatten().tolist() == pytest.approx([1.0, 0.0], abs=1e-15)


def test_what_has_no_hard_margin_problem_is_refused():
    with pytest.raises(ValueError, match="without a degree"):
        kkt.certificate(FunctionMap(lambda w: w[:, None], None), unit(1.0, 1.0))
    with pytest.raises(ValueError, match=r"must be above zero, got -1\.4"):
        kkt.certificate(linear(ROWS), unit(-1.0, 0.0, 0.0))


def test_it_says_what_it_is():
    found = kkt.certificate(linear(np.eye(2)), unit(1.0, 1.0))
    assert repr(found).endswith("margin = 0.707; 2 of 2 examples with multipliers>")
