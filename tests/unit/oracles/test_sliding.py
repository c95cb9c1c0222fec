"""The closed forms of flows with kinks, against Clarke's subdifferential, small explicit steps and their own chords."""

import itertools

import kinked
import numpy as np
import pytest
import torch

from dirconv.oracles import hard_margin, sliding


@pytest.fixture(params=kinked.PROBLEMS)
def problem(request):
    return kinked.PROBLEMS[request.param]()


def gradient(found, w):
    """∇p of the smallest margin at W, where p is smooth: by automatic differentiation of the network."""
    margins, pullback = found.linearize(torch.from_numpy(w))
    return pullback((margins == margins.min()).double()).numpy()


def clarke(problem, w):
    """The least-norm element of the hull of the gradients at points 1e-8 to either side of every kink at W."""
    size, normals = np.linalg.norm(w), problem.kinks / np.linalg.norm(problem.kinks, axis=1, keepdims=True)
    met = normals[np.abs(normals @ w) < 1e-9 * size]
    sides = [
        w + 1e-8 * size * np.linalg.pinv(met) @ np.array(signs)
        for signs in itertools.product([-1.0, 1.0], repeat=len(met))
    ] or [w]
    around = np.stack([gradient(problem.map, side) for side in sides])
    return hard_margin.solve(around).dual @ around


def test_the_velocity_is_the_least_norm_element_of_the_subdifferential(problem):
    sample = np.linspace(0, problem.tau, 41)
    away = [tau for tau in sample if all(abs(tau - begin) > 1e-3 for begin in problem.begins)]
    assert len(away) > 36
    for tau in away:
        exact = clarke(problem, problem.path.weights(tau))
        found = problem.path.velocity(tau)
        np.testing.assert_allclose(found, exact, atol=1e-6 * np.linalg.norm(exact))


def test_the_path_is_continuous_and_its_derivative_is_the_velocity(problem):
    for tau in np.linspace(0.01, problem.tau, 30):
        before, after = problem.path.weights(tau - 1e-5), problem.path.weights(tau + 1e-5)
        assert np.linalg.norm(after - before) < 2e-4 * np.linalg.norm(before)
        if all(abs(tau - begin) > 1e-3 for begin in problem.begins):
            cos = (after - before) @ problem.path.velocity(tau)
            cos /= np.linalg.norm(after - before) * np.linalg.norm(problem.path.velocity(tau))
            assert cos == pytest.approx(1, abs=1e-9)


def test_the_clock_is_the_logarithm_of_the_norm(problem):
    for tau in np.linspace(0, problem.tau, 30):
        w = problem.path.weights(tau)
        assert np.log(np.linalg.norm(w) / float(problem.start.norm())) == pytest.approx(tau, abs=1e-13)
    assert problem.path.weights(0) == pytest.approx(problem.start.numpy(), rel=1e-14)


def test_the_length_is_that_of_fine_chords(problem):
    """Between corners, chords of the length h are short by O(h²)."""
    corners, lengths = [0.0, *problem.begins, problem.tau], []
    for count in (50, 100):
        taus = np.concatenate([np.linspace(*ends, count + 1) for ends in itertools.pairwise(corners)])
        points = np.stack([problem.path.weights(tau) for tau in taus])
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        lengths.append(float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum()))
    assert problem.path.zeta(problem.tau) == pytest.approx(lengths[1] + (lengths[1] - lengths[0]) / 3, rel=1e-7)


def test_small_explicit_steps_tend_to_the_path(problem):
    """W⁺ = W + h ‖W‖ ∇p/‖∇p‖: it chatters about the kinks, and its position is within O(h)."""
    for h in (8e-3, 2e-3):
        w = problem.start.numpy()
        while np.log(np.linalg.norm(w) / float(problem.start.norm())) < problem.tau:
            g = gradient(problem.map, w)
            w = w + h * np.linalg.norm(w) * g / np.linalg.norm(g)
        exact = problem.path.weights(np.log(np.linalg.norm(w) / float(problem.start.norm())))
        assert np.linalg.norm(w - exact) < h * np.linalg.norm(exact)


def test_every_problem_has_the_kinks_it_is_named_for():
    """Held: zero after the first phase. Crossed: the velocity jumps and the kink is left on its other side."""
    held, released = (kinked.held_and_released().path.begins[k] for k in (1, 2))
    for tau, distance in ((0.5 * (held + released), 0.0), (released + 0.3, 0.02)):
        w = kinked.held_and_released().path.weights(tau)
        assert kinked.held_and_released().kinks[1] @ w / np.linalg.norm(w) == pytest.approx(distance, abs=0.02)
    for make in (kinked.switched_on, kinked.pool_crossed):
        crossed = make()
        (begin,) = crossed.begins
        jump = crossed.path.cos(begin - 1e-9) - crossed.path.cos(begin + 1e-9)
        assert abs(jump) > 0.05
    both = kinked.two_held()
    assert np.abs(both.kinks[1:] @ both.path.weights(both.tau)).max() < 1e-12


def test_one_row_is_followed_along_a_circle():
    """p = ⟨z, W⟩: the angle φ to z obeys sin φ = sin φ₀ e^(−τ)."""
    path = sliding.smallest_of_linear(np.array([[2.0, 0.0]]), np.array([0.6, 0.8]))
    for tau in (0.1, 1.0, 5.0):
        angle = np.arcsin(0.8 * np.exp(-tau))
        assert path.cos(tau) == pytest.approx(np.cos(angle), rel=1e-12)
        assert path.zeta(tau) == pytest.approx(np.arcsin(0.8) - angle, rel=1e-12)


def test_a_phase_that_does_not_end_is_an_error():
    phase = sliding.Phase(np.zeros((2, 2)), np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    with pytest.raises(ArithmeticError, match="does not end"):
        sliding.Path(np.array([1.0, 1.0]), [phase, phase])
