"""Descent on ln ℒ against closed forms, a reference solution of the flow, and the orders that it must converge at."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from sklearn.svm import SVC

from dirconv import flow, losses
from dirconv.errors import UserError
from dirconv.flow.control import StepControl
from dirconv.flow.methods import descent
from dirconv.goals import GOALS, Stop, StopReason

EXPONENTIAL = losses.get("exponential")
ROWS = np.array([[1.0, 0.2, 0.3], [0.3, 1.1, -0.2], [0.5, 0.4, 1.3], [1.4, -0.3, 0.6]])
START = torch.tensor([0.3, 2.0, 0.6], dtype=torch.float64)


def run(found, start, *, loss=EXPONENTIAL, stop=None, state=None, highest_level=None, **options):
    """Every event of a flow."""
    state = flow.State.at_start(start.clone()) if state is None else state
    spec, stop = descent.Spec(**options), stop or Stop()
    return list(flow.follow(found, loss, spec, stop, state, highest_level=highest_level))


def steps(*args, **options):
    return [event.step for event in run(*args, **options)]


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


# step-size control, for one run and for a batch

CONTROL = StepControl(tolerance=1e-3, largest_step=0.2, smallest_step=1e-13, land=0.25)


def test_the_next_step_is_what_the_controllers_formula_says():
    for order in (1, 2, 3):
        for error in (2e-4, 1e-3, 5e-3):
            expected = min(max(0.9 * (1e-3 / error) ** (1 / order), 0.2), 2.0)
            assert CONTROL.factor(error, order) == pytest.approx(expected, rel=1e-15)
    assert CONTROL.factor(0.0, 2) == CONTROL.factor(1e-300, 1) == 2.0
    assert CONTROL.factor(1e9, 1) == CONTROL.factor(math.inf, 2) == 0.2
    assert CONTROL.accepts(1e-3) and not CONTROL.accepts(1.001e-3)
    assert CONTROL.after_accepted(0.02, 0.02, 1.5) == pytest.approx(0.03)
    assert CONTROL.after_accepted(0.15, 0.15, 2.0) == 0.2
    assert CONTROL.after_rejected(0.02, 0.5) == 0.01
    assert CONTROL.after_rejected(0.02, 0.95) == pytest.approx(0.018)
    assert CONTROL.underflows(1e-13) and not CONTROL.underflows(2e-13)


def test_the_planned_size_stands_after_a_step_that_was_cut_short_unless_the_error_forbids_it():
    assert CONTROL.after_accepted(0.05, 0.08, 1.2) == 0.08
    assert CONTROL.after_accepted(0.01, 0.08, 1.2) == 0.02  # it grows no more than any other
    assert CONTROL.after_accepted(0.05, 0.08, 0.9) == pytest.approx(0.045)


@pytest.mark.parametrize(
    ("planned", "clock", "expected"),
    [
        (0.1, 0.0, (0.1, False)),
        (0.15, 0.0, (0.125, False)),  # two even steps
        (0.1, 0.2, (0.05, True)),
        (0.1, 0.25, (0.1, False)),  # the next multiple is 0.5
        (0.3, 0.02, (0.115, False)),  # planned is the largest step, 0.2; 0.23 are left
        (0.3, 0.1, (0.15, True)),
    ],
)
def test_a_step_lands_on_every_multiple(planned, clock, expected):
    assert CONTROL.landing(planned, clock) == (pytest.approx(expected[0], abs=1e-15), expected[1])
    assert dataclasses.replace(CONTROL, land=None).landing(planned, clock) == (min(planned, 0.2), False)


def test_a_batch_is_controlled_as_each_run_alone():
    random = np.random.default_rng(0)
    h, planned, clock = random.uniform(1e-3, 0.3, 50), random.uniform(1e-3, 0.3, 50), random.uniform(0, 1, 50)
    error, order = 1e-3 * 10 ** random.uniform(-3, 3, 50), random.integers(1, 4, 50)
    batch = [torch.from_numpy(values) for values in (h, planned, clock, error)]
    sizes, lands = CONTROL.landing(batch[1], batch[2])
    factors = CONTROL.factor(batch[3], torch.from_numpy(order))
    accepted = CONTROL.after_accepted(batch[0], batch[1], factors)
    rejected, accepts = CONTROL.after_rejected(batch[0], factors), CONTROL.accepts(batch[3])
    for i in range(50):
        factor = CONTROL.factor(float(error[i]), int(order[i]))
        assert float(factors[i]) == pytest.approx(factor, rel=1e-6)  # a batch has its exponents in float32
        factor = float(factors[i])
        assert (float(sizes[i]), bool(lands[i])) == CONTROL.landing(float(planned[i]), float(clock[i]))
        assert float(accepted[i]) == CONTROL.after_accepted(float(h[i]), float(planned[i]), factor)
        assert float(rejected[i]) == CONTROL.after_rejected(float(h[i]), factor)
        assert bool(accepts[i]) == CONTROL.accepts(float(error[i]))


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


# where a flow starts, stops and goes on


def same(first, second):
    """Whether two steps are equal to the last bit."""
    fields = [f.name for f in dataclasses.fields(flow.Step) if f.name != "state"]
    states = [f.name for f in dataclasses.fields(flow.State) if f.name != "weights"]
    return (
        torch.equal(first.state.weights, second.state.weights)
        and all(getattr(first, f) == getattr(second, f) for f in fields)
        and all(getattr(first.state, f) == getattr(second.state, f) for f in states)
    )


@pytest.mark.parametrize("at", [0, 1, 7, 24])
def test_going_on_from_a_state_gives_the_same_bits(squared_relu, at):
    found, start = squared_relu
    whole = run(found, start, stop=Stop(steps=25), tolerance=1e-4)
    state = whole[at].step.state
    saved = dataclasses.replace(state, weights=torch.from_numpy(state.weights.numpy().copy()))
    highest = max(flow.level(event.step.ln_risk, 8) for event in whole[: at + 1])
    rest = run(
        found,
        start,
        stop=Stop(steps=25),
        tolerance=1e-4,
        state=saved,
        highest_level=highest,
    )
    rest = [event for event in rest if event.step.state.step > at]
    assert len(rest) == 25 - at
    for first, second in zip(whole[at + 1 :], rest, strict=True):
        assert same(first.step, second.step)
        assert (first.snapshot, first.stop, first.progress) == (second.snapshot, second.stop, second.progress)


def test_going_on_from_a_state_at_its_goal_goes_no_further(linear_map):
    """The job was killed after its last step, before its outputs were written."""
    found = linear_map(ROWS)
    end = run(found, START, stop=Stop(steps=12))[-1]
    again = run(found, START, stop=Stop(steps=12), state=end.step.state, highest_level=0)
    assert again[-1].stop == StopReason.STEPS
    assert again[-1].step.state.step == 12
    assert torch.equal(again[-1].step.state.weights, end.step.state.weights)


def test_states_are_not_changed_by_what_follows(linear_map):
    start = START.clone()
    events = run(linear_map(ROWS), start, stop=Stop(steps=3))
    assert torch.equal(start, START)
    assert torch.equal(events[0].step.state.weights, START)
    assert len({tuple(event.step.state.weights.tolist()) for event in events}) == 4


@pytest.mark.parametrize(
    ("stop", "reason"),
    [
        (Stop(steps=12), StopReason.STEPS),
        (Stop(tau=0.4), StopReason.TAU),
        (Stop(log_inverse_risk=3.0), StopReason.RISK),
        (Stop(steps=500, tau=0.4, log_inverse_risk=1e3), StopReason.TAU),
    ],
)
def test_a_flow_stops_at_the_first_goal_that_it_reaches(linear_map, stop, reason):
    events = run(linear_map(ROWS), START, stop=stop, tolerance=1e-3, largest_step=0.02)
    norm = float(START.norm())

    def shares(event):
        step = event.step
        return {
            StopReason.STEPS: step.state.step / stop.steps,
            StopReason.TAU: math.log(step.norm / norm) / stop.tau,
            StopReason.RISK: -step.ln_risk / stop.log_inverse_risk,
        }

    *before, end = events
    assert end.stop == reason
    assert reason in GOALS
    assert shares(end)[reason] >= 1
    assert end.progress == 1
    for event in before:
        assert event.stop is None
        assert max(shares(event).values()) < 1
        assert event.progress == pytest.approx(max(*shares(event).values(), 0), abs=1e-15)


def test_snapshots_are_the_first_steps_of_their_levels_the_start_and_the_end(linear_map):
    events = run(linear_map(ROWS), 3 * START, stop=Stop(steps=150), tolerance=3e-3)
    seen, expected = set(), []
    for event in events:
        reached = math.floor(8 * math.log10(-event.step.ln_risk))
        expected.append(all(reached > other for other in seen))
        seen.add(reached)
    expected[-1] = True
    assert [event.snapshot for event in events] == expected
    assert events[0].snapshot
    assert 5 < sum(expected) < len(events)


def test_a_risk_that_goes_back_takes_no_second_snapshot_of_a_level(linear_map):
    found = linear_map([[1.0, 0.3], [0.3, 1.0]])
    events = run(
        found, torch.tensor([40.0, 39.0]).double(), stop=Stop(steps=40), tolerance=0.2, first_step=0.3, largest_step=0.3
    )
    levels = [flow.level(event.step.ln_risk, 8) for event in events if event.snapshot][:-1]
    assert levels == sorted(set(levels))


@pytest.mark.parametrize(
    ("ln_risk", "per_decade", "expected"),
    [(-1.0, 8, 0), (-10.0, 8, 8), (-9.999, 8, 7), (-1e8, 8, 64), (-0.1, 4, -4), (-(10**1.25) - 1e-9, 4, 5)],
)
def test_levels_are_log_spaced(ln_risk, per_decade, expected):
    assert flow.level(ln_risk, per_decade) == expected


def test_a_risk_above_one_is_below_every_level():
    assert flow.level(0.0, 8) == flow.level(5.0, 8) < flow.level(-1e-8, 8)


class Kink:
    """Margins that grow, and a gradient that at every other point but the start turns by a right angle."""

    degree, unit = 1, 2.0**-53

    def __init__(self, start):
        self.start = start

    def linearize(self, weights):
        turned = not torch.equal(weights, self.start)
        velocity = torch.tensor([0.0, 1.0] if turned else [1.0, 0.0], dtype=torch.float64)
        return weights.sum().view(1, 1), lambda q: velocity


def test_no_step_with_an_error_within_the_tolerance_ends_the_flow():
    start = torch.tensor([1.0, 1.0], dtype=torch.float64)
    events = run(Kink(start), start, tolerance=1e-14)
    assert [event.stop for event in events] == [None, StopReason.STEP_UNDERFLOW]
    assert same(events[0].step, events[1].step)
    assert events[-1].snapshot
    assert StopReason.STEP_UNDERFLOW not in GOALS


def test_every_reason_is_said_in_one_line():
    texts = {reason: reason.describe for reason in StopReason}
    assert len(set(texts.values())) == len(texts)
    assert all("\n" not in text and not text.endswith(".") for text in texts.values())
    assert all(";" in texts[reason] for reason in set(StopReason) - set(GOALS))  # the remedy


def test_going_on_to_an_underflow_ends_as_an_uninterrupted_flow_does():
    """The job was killed between the last accepted step and the underflow."""
    start = torch.tensor([1.0, 1.0], dtype=torch.float64)
    state = flow.State(start.clone(), float(start.norm()), 5, step_size=1e-4, evaluations=9, path_length=0.25)
    events = run(Kink(start), start, state=state, tolerance=1e-14, highest_level=0)
    assert events[-1].stop == StopReason.STEP_UNDERFLOW
    assert torch.equal(events[-1].step.state.weights, start)
    assert events[-1].step.state.step == 5


def test_a_discontinuous_gradient_is_followed_within_the_tolerance(exact_map):
    """|Δu| ≤ 2, so the error is at most h: kinks are crossed with steps of about the tolerance."""
    found = exact_map(lambda w: torch.stack([w[0] + w[1], 3 * w[0] - w[1]]).amin().view(1, 1), 1)
    events = run(found, torch.tensor([3.0, 1.0]).double(), stop=Stop(steps=200), tolerance=1e-3)
    assert events[-1].stop == StopReason.STEPS
    assert max(event.step.error for event in events) <= 1e-3


@pytest.mark.parametrize("broken", ["margins nan", "margins +inf", "margins -inf", "gradient nan", "gradient zero"])
def test_a_flow_that_leaves_the_numbers_stops(broken):
    class Breaks:
        """⟨w, (1, 1)⟩ until ‖w‖₁ reaches 3."""

        degree, unit = 1, 2.0**-53

        def linearize(self, weights):
            margins, velocity = weights.sum().view(1, 1), torch.ones(2, dtype=torch.float64)
            if weights.sum() >= 3:
                what, value = broken.split()
                number = {"nan": math.nan, "+inf": math.inf, "-inf": -math.inf, "zero": 0.0}[value]
                margins, velocity = (
                    (margins * 0 + number, velocity) if what == "margins" else (margins, velocity * number)
                )
            return margins, lambda q: velocity * q.sum()

    events = run(Breaks(), torch.tensor([1.0, 1.0]).double(), stop=Stop(steps=300), largest_step=0.05)
    *before, end = events
    assert len(before) > 3
    assert all(event.stop is None and math.isfinite(event.step.ln_risk) for event in before)
    assert end.stop == StopReason.NOT_FINITE if broken.startswith("margins") else end.stop is not None
    assert end.stop not in GOALS


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
