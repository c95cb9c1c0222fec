"""The exact answers: closed forms, certificates that do not trust the solver, and no code shared with the flow."""

from __future__ import annotations

import ast
import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch

import dirconv.oracles
from dirconv.oracles import hard_margin, kernel, signed_measure

DIMENSIONS = (2, 3)


def planted(seed: int, n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Points and labels that squared-ReLU neurons separate."""
    random = np.random.default_rng(seed)
    w, x = random.normal(size=(4, d)), random.normal(size=(8 * n, d))
    output = np.maximum(x @ w.T, 0) ** 2 @ np.array([1, -1, 1, -1])
    kept = np.flatnonzero(np.abs(output) > 0.1)[:n]
    return x[kept], np.sign(output[kept])


def test_two_points_have_the_margin_of_the_segment_between_them():
    z = np.array([[3.0, 1.0], [-1.0, 1.0]])
    best = hard_margin.solve(z)
    assert best.predictor == pytest.approx([0.0, 1.0], abs=1e-14)
    assert best.lower == pytest.approx(1.0, abs=1e-14)
    assert best.dual == pytest.approx([0.25, 0.75], abs=1e-14)


@pytest.mark.parametrize("d", [2, 5, 20])
def test_hard_margin_is_certified_and_beats_every_other_direction(d):
    random = np.random.default_rng(d)
    teacher = random.normal(size=d) / math.sqrt(d)
    x = random.normal(size=(200, d))
    x = x[np.abs(x @ teacher) > 0.2]
    z = x * np.sign(x @ teacher)[:, None]
    best = hard_margin.solve(z)
    assert abs(best.gap) <= 1e-12
    near = best.predictor + 1e-3 * random.normal(size=(500, d))
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    assert ((near @ z.T).min(1) < best.lower).all()


def test_data_that_cannot_be_separated_are_refused():
    with pytest.raises(ValueError, match="separated"):
        hard_margin.solve(np.array([[1.0, 0.0], [-1.0, 0.0]]))
    with pytest.raises(ValueError, match="separated"):
        signed_measure.solve(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([1.0, -1.0]))


@pytest.mark.parametrize("d", DIMENSIONS)
def test_one_point_is_best_served_by_its_own_direction(d):
    x = np.arange(1.0, d + 1)[None]
    best = signed_measure.solve(np.repeat(x, 2, 0) * [[1.0], [0.5]], np.array([-1.0, -1.0]))
    assert best.lower == pytest.approx(0.25 * (x**2).sum(), rel=1e-8)  # the shorter point's margin
    heaviest = best.predictor[np.abs(best.predictor[:, -1]).argmax()]
    assert heaviest[-1] < 0
    assert heaviest[:-1] == pytest.approx(x[0] / np.linalg.norm(x), abs=1e-6)


@pytest.mark.parametrize(("d", "seed"), list(itertools.product(DIMENSIONS, range(3))))
def test_the_bound_of_the_best_measure_holds_against_a_dense_search(d, seed):
    x, y = planted(seed, 14, d)
    best = signed_measure.solve(x, y)
    assert best.gap <= 1e-9
    w = np.random.default_rng(seed).normal(size=(200_000, d))
    w /= np.linalg.norm(w, axis=1, keepdims=True)
    g = np.abs((signed_measure.features(w, x) * y) @ best.dual)
    assert g.max() <= best.upper * (1 + 1e-12)
    assert g.max() >= best.upper * (1 - 5e-3)  # and the bound is not idle
    mass = best.predictor[:, -1]
    assert np.abs(mass).sum() == pytest.approx(1.0, abs=1e-12)
    margins = y * (mass @ signed_measure.features(best.predictor[:, :-1], x))
    assert margins.min() == pytest.approx(best.lower, rel=1e-12)


@pytest.mark.parametrize("d", DIMENSIONS)
def test_every_region_of_the_arrangement_is_found(d):
    x, _ = planted(5, 9, d)
    found = {tuple(row) for row in signed_measure.regions(x)}
    w = np.random.default_rng(0).normal(size=(200_000, d))
    assert {tuple(row) for row in w @ x.T > 0} <= found
    n = len(x)
    assert len(found) == (2 * n if d == 2 else n * (n - 1) + 2)  # in general position


def test_the_kernel_is_that_of_a_very_wide_network():
    random = np.random.default_rng(0)
    x = random.normal(size=(5, 3))
    m = 400_000
    w, a = random.normal(size=(m, 3)), random.normal(size=m)
    hidden = x @ w.T
    features = np.concatenate(
        [np.maximum(hidden, 0), *(a * (hidden > 0) * x[:, [k]] for k in range(3))], axis=1
    ) / math.sqrt(m)
    assert kernel.ntk(x, x) == pytest.approx(features @ features.T, rel=0.02, abs=0.02)


def test_the_kernel_predictor_has_equal_margins_on_its_support():
    x, y = planted(1, 12, 3)
    best = kernel.max_margin(x, y)
    margins = y * kernel.predict(x, y, best.dual, x)
    support = best.dual > 1e-9
    assert best.gap <= 1e-10
    assert margins[support] == pytest.approx(margins.min(), rel=1e-8)
    assert margins.min() / math.sqrt(best.dual @ (kernel.ntk(x, x) * np.outer(y, y)) @ best.dual) == pytest.approx(
        best.lower, rel=1e-8
    )


@pytest.mark.parametrize("widths", [[1], [3, 1], [4, 2, 1]])
def test_multipliers_of_deep_linear_networks_are_exact(widths):
    """θ = Σ λ_i ∇p_i(θ), λ ≥ 0, p ≥ 1 and λ (p − 1) = 0, the gradients from automatic differentiation."""
    random = np.random.default_rng(3)
    z = random.normal(size=(30, 5))
    z *= np.sign(z @ np.arange(1.0, 6))[:, None]
    best = hard_margin.solve(z)
    layers = [torch.from_numpy(layer).requires_grad_() for layer in hard_margin.factors(best, widths)]
    p = torch.from_numpy(z)
    for layer in layers:
        p = p @ layer.T
    multipliers = hard_margin.multipliers(best, len(widths))
    (p[:, 0] @ torch.from_numpy(multipliers)).backward()
    for layer in layers:
        torch.testing.assert_close(layer.grad, layer.detach(), rtol=0, atol=1e-12)
    slack = p.detach().numpy()[:, 0] - 1
    assert slack.min() > -1e-12 and np.abs(multipliers * slack).max() < 1e-12
    assert multipliers.min() >= 0 and (multipliers > 0).sum() > 1


@pytest.mark.parametrize(("d", "seed"), list(itertools.product(DIMENSIONS, range(3))))
def test_multipliers_of_squared_relu_networks_are_exact(d, seed):
    """The same, to the square root of the certified gap: of a predictor and a dual point that are each that close."""
    x, y = planted(seed, 14, d)
    best = signed_measure.solve(x, y)
    w, signs = signed_measure.neurons(best)
    leaf = torch.from_numpy(w).requires_grad_()
    inner = (torch.from_numpy(x) @ leaf.T).clamp(min=0).square()
    p = torch.from_numpy(y) * (inner @ torch.from_numpy(signs))
    multipliers = signed_measure.multipliers(best)
    (p @ torch.from_numpy(multipliers)).backward()
    torch.testing.assert_close(leaf.grad, leaf.detach(), rtol=0, atol=3e-5 * float(leaf.detach().norm()))
    slack = p.detach().numpy() - 1
    assert slack.min() > -1e-9 and (multipliers * slack).sum() < 1e-8 * multipliers.sum()
    assert multipliers.min() >= 0


def test_oracles_share_no_code_with_the_flow():
    for path in Path(dirconv.oracles.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert name.split(".")[0] in {"numpy", "scipy", "dataclasses", "itertools", "__future__"} or (
                    name.startswith("dirconv.oracles")
                ), f"{path.name} imports {name}"
