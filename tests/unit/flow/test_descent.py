"""Descent on ln ℒ against closed forms, a reference solution of the flow, and the orders that it must converge at."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from descents import EXPONENTIAL, ROWS, START, run, steps
from scipy.integrate import solve_ivp
from sklearn.svm import SVC

from dirconv import flow, losses
from dirconv.errors import UserError
from dirconv.flow.methods import descent
from dirconv.goals import Stop, StopReason


def arc_lengths(taken):
    """Length of the path of W up to each step: a step of relative size h from W is h ‖W‖ long."""
    return np.concatenate([[0.0], np.cumsum([b.step_size * a.norm for a, b in itertools.pairwise(taken)])])


def reference(found, start, length):
    """W at that length of the flow's path, from dW/dl = −∇ℒ/‖∇ℒ‖ at rtol 1e-10."""

    def velocity(_, w):
        v = found.velocity(w)
        return v / np.linalg.norm(v)

    return solve_ivp(velocity, (0, length), start.numpy(), method="DOP853", rtol=1e-10, atol=1e-12).y[:, -1]


def direction(w):
    w = np.asarray(w)
    return w / np.linalg.norm(w)


def slope(x, y):
    """Exponent of a power law y ∝ x^slope."""
    return np.polyfit(np.log(x), np.log(y), 1)[0]


# one step


def one_step(found, start, h):
    spec = descent.Spec(tolerance=1e9, first_step=h, largest_step=1)
    first, second = itertools.islice(descent.steps(found, EXPONENTIAL, spec, flow.State.at_start(start.clone())), 2)
    return first, second


def test_a_step_goes_against_the_gradient(linear_map):
    found = linear_map(ROWS)
    first, second = one_step(found, START, 0.01)
    v = found.velocity(START.numpy())
    expected = START.numpy() + 0.01 * float(START.norm()) * v / np.linalg.norm(v)
    np.testing.assert_allclose(second.state.weights.numpy(), expected, rtol=1e-14)
    assert torch.equal(first.state.weights, START)
    assert (first.state.step, second.state.step) == (0, 1)
    assert (first.state.evaluations, second.state.evaluations) == (1, 2)


def test_the_local_error_is_of_second_order_and_is_what_is_estimated(linear_map):
    found = linear_map(ROWS)
    sizes = np.array([0.02, 0.01, 0.005, 0.0025, 0.00125])
    taken = [one_step(found, START, h)[1] for h in sizes]
    estimated = np.array([step.error for step in taken])
    norm = float(START.norm())
    true = np.array(
        [
            np.linalg.norm(step.state.weights.numpy() - reference(found, START, h * norm)) / norm
            for h, step in zip(sizes, taken, strict=True)
        ]
    )
    assert slope(sizes, estimated) == pytest.approx(2, abs=0.03)
    assert slope(sizes, true) == pytest.approx(2, abs=0.03)
    gap = abs(estimated / true - 1)
    assert gap[-1] < 0.01
    np.testing.assert_allclose(gap[:-1] / gap[1:], 2, rtol=0.1)  # the estimate's own error is of the next order


def test_what_is_measured_at_a_step_is_what_its_weights_give(linear_map):
    for step in steps(linear_map(ROWS), START, stop=Stop(steps=20)):
        w = step.state.weights.numpy()
        p = ROWS @ w
        q = np.exp(p.min() - p) / np.exp(p.min() - p).sum()
        v = q @ ROWS
        assert step.norm == pytest.approx(np.linalg.norm(w), rel=1e-14)
        assert step.tau == math.log(step.norm / float(START.norm()))
        assert step.ln_risk == pytest.approx(math.log(np.exp(-p).sum()), rel=1e-12)
        assert step.unnormalised_margin == -step.ln_risk
        assert step.smallest_margin == pytest.approx(p.min(), rel=1e-14)
        assert step.cos == pytest.approx(w @ v / np.linalg.norm(w) / np.linalg.norm(v), rel=1e-13)
        assert step.effective_examples == pytest.approx(1 / (q @ q), rel=1e-13)


def test_the_path_length_is_the_sum_of_the_angles_between_directions(linear_map):
    taken = steps(linear_map(ROWS), START, stop=Stop(steps=30), tolerance=1e-3)
    angles = [
        math.acos(min(1.0, direction(a.state.weights) @ direction(b.state.weights)))
        for a, b in itertools.pairwise(taken)
    ]
    assert taken[0].state.path_length == 0
    for total, step in zip(np.cumsum(angles), taken[1:], strict=True):
        assert step.state.path_length == pytest.approx(total, rel=1e-6)


def test_a_steps_row_holds_its_state_and_what_was_measured(linear_map):
    for step in steps(linear_map(ROWS), START, stop=Stop(steps=3)):
        row = step.row()
        assert list(row)[:5] == ["step", "tau", "evaluations", "jacobians", "zeta"]
        assert list(row)[5:] == [f.name for f in dataclasses.fields(step) if f.name not in ("state", "tau")]
        assert (row["step"], row["zeta"], row["norm"]) == (step.state.step, step.state.path_length, step.norm)


# acceptance


def test_every_accepted_step_is_within_the_tolerance(squared_relu):
    found, start = squared_relu
    for tolerance in (1e-3, 1e-5):
        taken = steps(found, start, stop=Stop(steps=60), tolerance=tolerance, first_step=0.05)
        assert all(step.error <= tolerance for step in taken)
        assert taken[1].rejected > 0  # the first step asked for is too long
        assert all(step.step_size <= 0.05 for step in taken)
        # a step costs one evaluation, and so does each attempt that was not accepted
        attempts = itertools.accumulate(1 + step.rejected for step in taken)
        assert [step.state.evaluations for step in taken] == list(attempts)


def test_an_accepted_step_is_what_the_error_says_and_not_what_the_margin_does(linear_map):
    """With a coarse tolerance steps overshoot, the smoothed margin falls, and the steps are accepted all the same."""
    found = linear_map([[1.0, 0.3], [0.3, 1.0]])
    taken = steps(
        found, torch.tensor([40.0, 39.0]).double(), stop=Stop(steps=40), tolerance=0.2, first_step=0.3, largest_step=0.3
    )
    smoothed = np.array([step.unnormalised_margin / step.norm for step in taken])
    assert np.diff(smoothed).min() < -1e-3
    assert all(step.rejected == 0 for step in taken[1:])


def test_the_step_size_is_limited(linear_map):
    found = linear_map([[1.0, 0.0]])  # u is constant: no error, so the step doubles up to its limit
    taken = steps(found, torch.tensor([1.0, 0.0]).double(), stop=Stop(steps=9), first_step=1e-3, largest_step=0.05)
    expected = [min(1e-3 * 2**k, 0.05) for k in range(9)]
    np.testing.assert_allclose([step.step_size for step in taken[1:]], expected, rtol=1e-14)
    assert all(step.error == 0 for step in taken)


# convergence to the flow

TOLERANCES = [4e-4, 1e-4, 2.5e-5, 6.25e-6]


def followed(found, start, length, tolerance):
    """Steps until the path of W is at least that long."""
    spec = descent.Spec(tolerance=tolerance, first_step=math.sqrt(tolerance) / 10, largest_step=1)
    taken, travelled = [], 0.0
    for step in descent.steps(found, EXPONENTIAL, spec, flow.State.at_start(start.clone())):
        travelled += step.step_size * (taken[-1].norm if taken else 0)
        taken.append(step)
        if travelled >= length:
            return taken


@pytest.fixture(params=["linear", "squared_relu"])
def smooth(request, linear_map, squared_relu):
    """A map, weights at which ℒ < 1, and a length of the path that takes the direction well on its way."""
    return (linear_map(ROWS), 3 * START, 8.0) if request.param == "linear" else (*squared_relu, 2.0)


def test_the_direction_converges_at_first_order_to_the_reference(smooth):
    found, start, length = smooth
    counts, errors, lengths = [], [], []
    for tolerance in TOLERANCES:
        taken = followed(found, start, length, tolerance)
        expected = reference(found, start, arc_lengths(taken)[-1])
        errors.append(np.linalg.norm(direction(taken[-1].state.weights) - direction(expected)))
        counts.append(len(taken) - 1)
        lengths.append(taken[-1].state.path_length)
    assert slope(TOLERANCES, counts) == pytest.approx(-0.5, abs=0.05)  # h ∝ √tolerance
    assert slope(counts, errors) == pytest.approx(-1, abs=0.1)
    assert errors[-1] < 2e-3
    assert min(lengths) > 0.15  # the direction did move


def test_path_length_is_the_integral_of_the_tangent_over_tau(smooth):
    """dζ = tan ∠(W, −∇ℒ) dτ along the flow, to the order of the discretization."""
    found, start, length = smooth
    counts, gaps = [], []
    for tolerance in TOLERANCES:
        taken = followed(found, start, length, tolerance)
        cos = np.array([step.cos for step in taken])
        assert cos.min() > 0
        tau = np.log([step.norm for step in taken])
        integral = np.trapezoid(np.sqrt(1 - cos**2) / cos, tau)
        gaps.append(abs(integral / taken[-1].state.path_length - 1))
        counts.append(len(taken) - 1)
    assert slope(counts, gaps) == pytest.approx(-1, abs=0.15)
    assert gaps[-1] < 5e-3


def test_the_smoothed_margin_of_exponential_loss_rises_along_the_flow(smooth):
    found, start, length = smooth
    taken = followed(found, start, length, 6e-6)
    smoothed = np.array([step.unnormalised_margin / step.norm**found.degree for step in taken])
    assert smoothed[0] > 0
    assert np.diff(smoothed).min() > 0
    assert smoothed[-1] > 1.05 * smoothed[0]


def test_the_smoothed_margin_rises_at_least_as_fast_as_the_angle_says(smooth):
    """d ln ã/dτ ≥ L tan² ∠ for exponential loss."""
    found, start, length = smooth
    taken = followed(found, start, length, 6e-6)
    cos, tau = np.array([step.cos for step in taken]), np.log([step.norm for step in taken])
    ln_margin = np.log([step.unnormalised_margin for step in taken]) - found.degree * tau
    least = found.degree * np.trapezoid(1 / cos**2 - 1, tau)
    assert ln_margin[-1] - ln_margin[0] > 0.99 * least > 0


def test_one_example_is_followed_exactly(linear_map):
    """W moves on a line, ℓ⁻¹(ℒ) = ⟨W, z⟩, and d ln ã/dτ = tan² ∠."""
    z = np.array([1.0, 0.5])
    start = torch.tensor([3.0, 0.0], dtype=torch.float64)
    taken = steps(linear_map([z]), start, stop=Stop(steps=300), first_step=0.004, largest_step=0.004)
    for step in taken:
        w = step.state.weights.numpy()
        np.testing.assert_allclose(w, [3.0 + 2 * w[1], w[1]], rtol=1e-13)
        assert step.unnormalised_margin == pytest.approx(w @ z, rel=1e-13)
        assert step.cos == pytest.approx(w @ z / step.norm / np.linalg.norm(z), rel=1e-13)
    cos, tau = np.array([step.cos for step in taken]), np.log([step.norm for step in taken])
    ln_margin = np.log([step.unnormalised_margin for step in taken]) - tau
    assert ln_margin[-1] - ln_margin[0] == pytest.approx(np.trapezoid(1 / cos**2 - 1, tau), rel=1e-3)
    chord = np.linalg.norm(direction(taken[-1].state.weights) - direction(taken[0].state.weights))
    assert taken[-1].state.path_length == pytest.approx(2 * math.asin(chord / 2), rel=1e-9)


def test_two_orthogonal_examples_keep_their_invariant(linear_map):
    """p = (a w₁, b w₂): e^(p₁)/a² − e^(p₂)/b² is constant along the flow, which gives w₂ from w₁ in closed form."""
    a, b = 1.0, 0.5
    start = np.array([1.0, 3.0])
    invariant = math.exp(a * start[0]) / a**2 - math.exp(b * start[1]) / b**2
    found = linear_map([[a, 0.0], [0.0, b]])
    counts, errors = [], []
    for tolerance in TOLERANCES:
        taken = followed(found, torch.from_numpy(start), 6.0, tolerance)
        w = taken[-1].state.weights.numpy()
        exact = math.log(b**2 * (math.exp(a * w[0]) / a**2 - invariant)) / b
        errors.append(abs(w[1] - exact) / np.linalg.norm(w))
        counts.append(len(taken) - 1)
    assert slope(counts, errors) == pytest.approx(-1, abs=0.1)
    assert errors[-1] < 1e-3


@pytest.mark.parametrize("name", ["exponential", "logistic"])
def test_the_direction_goes_to_the_hard_margin_svms(linear_map, name):
    x = np.array([[2.0, 0.5], [1.0, 2.0], [2.5, 2.5], [-1.5, -0.4], [-0.5, -2.2], [-3.0, 0.2]])
    y = np.array([1, 1, 1, -1, -1, -1])
    rows = y[:, None] * x
    # a hyperplane through the origin: with every point's mirror image of the other class the offset is zero
    svm = SVC(kernel="linear", C=1e10, tol=1e-10).fit(np.concatenate([x, -x]), np.concatenate([y, -y]))
    assert abs(svm.intercept_[0]) < 1e-9
    exact = direction(svm.coef_[0])
    events = run(
        linear_map(rows),
        torch.tensor([0.1, 2.0]).double(),
        loss=losses.get(name),
        stop=Stop(steps=20_000, log_inverse_risk=60),
        tolerance=1e-3,
    )
    assert events[-1].stop == StopReason.RISK
    angles = {}
    for event in events:
        angle = np.linalg.norm(direction(event.step.state.weights) - exact)
        angles.setdefault(flow.level(event.step.ln_risk, 4), angle * event.step.norm)
        last = angle
    assert last < 0.05
    # W = ŵ s + O(1): the angle goes to zero like 1/‖W‖
    late = [scaled for level, scaled in angles.items() if level >= 3]
    assert len(late) >= 4
    assert max(late) < 1.3 * min(late)


def test_the_method_is_found_by_its_name():
    spec = flow.specification({"method": "descent", "tolerance": 1e-4}, "runs.a.flow")
    assert spec == descent.Spec(tolerance=1e-4) == flow.from_options({"method": "descent", "tolerance": 1e-4})


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"method": "decent"}, "f.method: unknown 'decent'; did you mean 'descent'?"),
        ({}, "f.method"),
        ({"method": "descent", "tolerence": 1.0}, "f.tolerence: unknown key; did you mean 'tolerance'?"),
        ({"method": "descent", "tolerance": 0.0}, "f.tolerance: must be above zero"),
        ({"method": "descent", "first_step": -1e-3}, "f.first_step: must be above zero"),
        ({"method": "descent", "largest_step": "0.1"}, "f.largest_step"),
        ({"method": "descent", "tolerance": math.nan}, "f.tolerance"),
    ],
)
def test_bad_options_are_one_line_that_names_the_key(options, key):
    with pytest.raises(UserError) as caught:
        flow.specification(options, "f")
    assert str(caught.value).startswith(key)
    assert "\n" not in str(caught.value)
