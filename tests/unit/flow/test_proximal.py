"""The proximal flow against hard-margin SVMs, reference solutions of the flow, its identities, and to the last bit."""

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
from dirconv.flow.methods import proximal
from dirconv.goals import GOALS, Stop, StopReason
from dirconv.margins.function import FunctionMap

EXPONENTIAL = losses.get("exponential")
ROWS = np.array([[1.0, 0.2, 0.3], [0.3, 1.1, -0.2], [0.5, 0.4, 1.3], [1.4, -0.3, 0.6]])
START = torch.tensor([0.9, 6.0, 1.8], dtype=torch.float64)


def run(found, start, *, loss=EXPONENTIAL, stop=None, state=None, **options):
    """Every event of a flow."""
    state = flow.State.at_start(start.clone()) if state is None else state
    return list(flow.follow(found, loss, proximal.Spec(**options), stop or Stop(), state))


def steps(*args, **options):
    return [event.step for event in run(*args, **options)]


def direction(w):
    w = np.asarray(w)
    return w / np.linalg.norm(w)


def linear(rows):
    z = torch.as_tensor(np.asarray(rows, dtype=float))
    return FunctionMap(lambda w: (z @ w)[:, None], 1)


def velocity(found, w):
    """Σ q ∇p, q the softmin weights of exponential loss: NumPy to NumPy."""
    margins, pullback = found.linearize(torch.from_numpy(w))
    return pullback(torch.softmax(-margins.flatten(), 0).view_as(margins)).numpy()


def reference(found, start, tau):
    """θ at τ from dθ/dτ = (I − θθᵀ) v/⟨θ, v⟩ at rtol 1e-10."""
    norm = float(start.norm())

    def change(clock, theta):
        theta = direction(theta)
        v = velocity(found, norm * math.exp(clock) * theta)
        v = v / (theta @ v)
        return v - theta * (theta @ v)

    solution = solve_ivp(change, (0, tau), direction(start), method="LSODA", rtol=1e-10, atol=1e-12)
    return direction(solution.y[:, -1])


@pytest.fixture(scope="module")
def squared():
    """30 examples of 5 inputs that a network of 10 neurons with squared ReLU, of degree 3, labels itself."""
    neurons = 10
    random = np.random.default_rng(0)
    weights = torch.from_numpy(random.normal(size=6 * neurons))
    x = torch.from_numpy(random.normal(size=(90, 5)))

    def outputs(w, x):
        return torch.relu(x @ w[neurons:].view(neurons, 5).T).square() @ w[:neurons]

    x = x[outputs(weights, x).abs().argsort(descending=True)[:30]]
    y = outputs(weights, x).sign()
    found = FunctionMap(lambda w: (y * outputs(w, x))[:, None], 3)
    return found, weights * (4 / found.values(weights).min()) ** (1 / 3)


# where it goes


@pytest.mark.parametrize("name", ["exponential", "logistic"])
def test_the_direction_goes_to_the_hard_margin_svms(name):
    x = np.array([[2.0, 0.5], [1.0, 2.0], [2.5, 2.5], [-1.5, -0.4], [-0.5, -2.2], [-3.0, 0.2]])
    y = np.array([1, 1, 1, -1, -1, -1])
    # a hyperplane through the origin: with every point's mirror image of the other class the offset is zero
    svm = SVC(kernel="linear", C=1e10, tol=1e-10).fit(np.concatenate([x, -x]), np.concatenate([y, -y]))
    exact = direction(svm.coef_[0])
    start = torch.tensor([0.1, 2.0], dtype=torch.float64)
    for tolerance in (0.05, 1e-3):
        taken = steps(linear(y[:, None] * x), start, loss=losses.get(name), stop=Stop(tau=14), tolerance=tolerance)
        # W = ŵ s + O(1): the angle goes to zero like 1/‖W‖, down to what a step may be off
        for step in taken:
            assert np.linalg.norm(direction(step.state.weights) - exact) < 2.5 / step.norm + 0.1 * tolerance**1.5
        assert taken[-1].cos > 1 - tolerance**2


def test_the_margin_of_the_svm_is_reached_in_many_dimensions():
    random = np.random.default_rng(2)
    y = np.repeat([1.0, -1.0], 20)
    x = random.normal(size=(40, 8)) + 2.0 * y[:, None] * direction(np.ones(8))
    rows = y[:, None] * x
    start = torch.from_numpy(rows.mean(0))
    svm = SVC(kernel="linear", C=1e10, tol=1e-10).fit(np.concatenate([x, -x]), np.concatenate([y, -y]))
    exact = direction(svm.coef_[0])
    assert (rows @ exact).min() > 0
    end = steps(linear(rows), start, stop=Stop(tau=14), tolerance=1e-3)[-1]
    assert np.linalg.norm(direction(end.state.weights) - exact) < 1e-4
    assert end.unnormalised_margin / end.norm == pytest.approx((rows @ exact).min(), rel=1e-4)


def test_the_direction_is_the_references_within_the_tolerance(squared):
    found, start = squared
    exact = reference(found, start, 0.5)
    assert np.linalg.norm(exact - direction(start)) > 0.3
    counts, errors = [], []
    for tolerance in (1e-2, 1e-3, 1e-4, 1e-5):
        taken = steps(found, start, stop=Stop(tau=0.5, steps=10**6), tolerance=tolerance)
        errors.append(np.linalg.norm(direction(taken[-1].state.weights) - exact))
        counts.append(len(taken) - 1)
        assert errors[-1] <= tolerance
        assert max(step.error for step in taken) <= tolerance**1.5
    assert -np.polyfit(np.log(counts), np.log(errors), 1)[0] >= 1.8


def test_it_is_of_second_order_where_the_map_is_smooth():
    found, start = linear(ROWS), START / 3
    exact = reference(found, start, 1.0)
    assert np.linalg.norm(exact - direction(start)) > 0.3
    counts, errors = [], []
    for tolerance in (1e-2, 1e-3, 1e-4):
        taken = steps(found, start, stop=Stop(tau=1.0, steps=10**5), tolerance=tolerance)
        errors.append(np.linalg.norm(direction(taken[-1].state.weights) - exact))
        counts.append(len(taken) - 1)
        assert errors[-1] <= tolerance
    assert -np.polyfit(np.log(counts), np.log(errors), 1)[0] >= 1.8


@pytest.mark.parametrize("tolerance", [1e-2, 0.05])
def test_risks_that_are_no_numbers_are_reached_with_numbers(squared, tolerance):
    found, start = squared
    taken = steps(found, start, stop=Stop(log_inverse_risk=1e10, steps=2000), tolerance=tolerance)
    assert -taken[-1].ln_risk >= 1e10
    for step in taken:
        values = [getattr(step, field.name) for field in dataclasses.fields(flow.Step) if field.name != "state"]
        assert all(math.isfinite(value) for value in values)
        assert torch.isfinite(step.state.weights).all()
    assert len(taken) < 300
    assert taken[-1].cos > 0.999
    # a stationary direction: the margins that carry weight are equal to within the tolerance
    assert taken[-1].smallest_margin == pytest.approx(-taken[-1].ln_risk, rel=1e-6)


def test_the_gradient_at_the_end_of_a_step_is_the_one_that_it_was_made_with(squared):
    """The softmin weights of the margins there are those of the step."""
    found, start = squared
    taken = steps(found, start, stop=Stop(log_inverse_risk=1e10, steps=2000), tolerance=1e-2)
    for step in taken[1:]:
        assert step.cos_point == pytest.approx(step.cos, abs=0.02)
    assert taken[-1].effective_examples > 5


def test_a_map_without_a_degree_is_followed_in_its_arc_length():
    """Two layers of tanh with offsets, against dW/ds = ‖W‖ v/‖v‖ at rtol 1e-10."""
    random = torch.Generator().manual_seed(0)
    x = torch.randn(8, 2, generator=random, dtype=torch.float64)
    y = x[:, 0].sign()

    def margins(w):
        hidden = torch.tanh(x @ w[:6].view(2, 3) + w[6:9])
        return (y * (hidden @ w[9:12] + w[12]))[:, None]

    found = FunctionMap(margins, None)
    start = torch.randn(13, generator=random, dtype=torch.float64)

    def change(_, w):
        v = velocity(found, w)
        return np.linalg.norm(w) / np.linalg.norm(v) * v

    errors = []
    for tolerance in (1e-2, 1e-3, 1e-4):
        taken = steps(found, start, stop=Stop(tau=1.0, steps=10**5), tolerance=tolerance)
        length = sum(step.step_size for step in taken)
        exact = solve_ivp(change, (0, length), start.numpy(), method="LSODA", rtol=1e-10, atol=1e-12).y[:, -1]
        errors.append(np.linalg.norm(taken[-1].state.weights.numpy() - exact) / np.linalg.norm(exact))
        assert errors[-1] <= 3 * tolerance  # it adds up over a path of more than twice ‖W‖
        assert length > 2
        assert not any(step.landed for step in taken)
    assert np.polyfit([-2, -3, -4], np.log10(errors), 1)[0] == pytest.approx(1, abs=0.15)


# what is measured, and identities of the flow


def test_what_is_measured_at_a_step_is_what_its_weights_give():
    for step in steps(linear(ROWS), START, stop=Stop(steps=25)):
        w = step.state.weights.numpy()
        p = ROWS @ w
        q = np.exp(p.min() - p) / np.exp(p.min() - p).sum()
        v = q @ ROWS
        assert step.norm == pytest.approx(np.linalg.norm(w), rel=1e-14)
        assert step.ln_risk == pytest.approx(p.min() * -1 + math.log(np.exp(p.min() - p).sum()), rel=1e-11)
        assert step.unnormalised_margin == -step.ln_risk
        assert step.smallest_margin == pytest.approx(p.min(), rel=1e-12)
        assert step.cos_point == pytest.approx(w @ v / np.linalg.norm(w) / np.linalg.norm(v), rel=1e-11)
        assert step.effective_examples == pytest.approx(1 / (q @ q), rel=1e-9)
        assert step.resolution == pytest.approx(16 * 2.0**-53 * p.min(), rel=1e-12)


@pytest.fixture(scope="module", params=["linear", "squared"])
def followed(request, squared):
    """A map and the steps of a flow with small ones, of exponential loss."""
    found, start = (linear(ROWS), START) if request.param == "linear" else squared
    return found, steps(found, start, stop=Stop(tau=0.5, steps=10**5), tolerance=1e-4)


def test_path_length_is_the_integral_of_the_tangent_over_tau(followed):
    _, taken = followed
    cos, tau = np.array([step.cos for step in taken]), np.log([step.norm for step in taken])
    assert taken[-1].state.path_length == pytest.approx(np.trapezoid(np.sqrt(1 - cos**2) / cos, tau), rel=2e-3)
    assert taken[-1].state.path_length > 0.1
    angles = [
        2 * math.asin(np.linalg.norm(direction(a.state.weights) - direction(b.state.weights)) / 2)
        for a, b in itertools.pairwise(taken)
    ]
    assert taken[-1].state.path_length == pytest.approx(sum(angles), rel=1e-9)


def test_the_velocity_is_the_gradient_at_the_point_where_the_map_is_smooth(followed):
    _, taken = followed
    for step in taken[1:]:
        assert step.cos == pytest.approx(step.cos_point, abs=2e-3)


def test_the_smoothed_margin_rises_at_least_as_fast_as_the_angle_says(followed):
    """d ln ã/dτ ≥ L tan² ∠ for exponential loss."""
    found, taken = followed
    cos, tau = np.array([step.cos for step in taken]), np.log([step.norm for step in taken])
    ln_margin = np.log([step.unnormalised_margin for step in taken]) - found.degree * tau
    assert np.diff(ln_margin).min() > 0
    least = found.degree * np.trapezoid(1 / cos**2 - 1, tau)
    assert ln_margin[-1] - ln_margin[0] > 0.999 * least > 0


def test_layers_stay_balanced():
    """a_j² − ‖w_j‖² and, without an activation, a aᵀ − B Bᵀ are constant along the flow."""
    random = torch.Generator().manual_seed(1)
    x = torch.randn(12, 3, generator=random, dtype=torch.float64)
    y = (x @ torch.tensor([1.0, -0.5, 0.3]).double()).sign()
    x += 0.3 * y[:, None] * torch.tensor([1.0, -0.5, 0.3])
    start = 3 * torch.tensor([1.0, -0.8, 0.2, *(1.0, -0.4, 0.3, -0.9, 0.5, -0.1, 0.2, 0.1, 0.1)], dtype=torch.float64)

    def product(w):
        return (y * (x @ w[3:].view(3, 3).T @ w[:3]))[:, None]

    def rectified(w):
        return (y * (torch.relu(x @ w[3:].view(3, 3).T) @ w[:3]))[:, None]

    def balance(w):
        return torch.outer(w[:3], w[:3]) - w[3:].view(3, 3) @ w[3:].view(3, 3).T

    end = steps(FunctionMap(product, 2), start, stop=Stop(tau=1, steps=10**5), tolerance=1e-4)[-1]
    assert float((balance(end.state.weights) - balance(start)).norm()) < 1e-3 * end.norm**2
    assert end.ln_risk < -3
    end = steps(FunctionMap(rectified, 2), start, stop=Stop(tau=1, steps=10**5), tolerance=1e-3)[-1]
    gap = (balance(end.state.weights) - balance(start)).diagonal()
    assert float(gap.norm()) < 1e-2 * end.norm**2


# steps


@pytest.mark.parametrize("tolerance", [0.05, 1e-3])
@pytest.mark.parametrize("land", [0.25, 0.06])
def test_a_step_ends_at_every_multiple_of_the_landing(squared, tolerance, land):
    found, start = squared
    taken = steps(found, start, stop=Stop(tau=0.5), tolerance=tolerance, land=land)
    tau = np.log([step.norm for step in taken]) - math.log(float(start.norm()))
    landed = tau[[step.landed for step in taken]]
    count = math.floor(tau[-1] / land + 1e-9)
    np.testing.assert_allclose(landed, land * np.arange(1, count + 1), rtol=0, atol=1e-12)
    assert count >= 2
    assert np.diff(tau).min() > 0
    np.testing.assert_allclose(np.diff(tau), [step.step_size for step in taken[1:]], rtol=1e-9, atol=1e-14)


def test_landings_are_snapshots_and_the_step_size_is_limited(squared):
    found, start = squared
    events = run(found, start, stop=Stop(tau=1.0), land=0.2, largest_step=0.05)
    assert sum(event.step.landed for event in events) == 5
    assert all(event.snapshot for event in events if event.step.landed)
    assert max(event.step.step_size for event in events) <= 0.05 * (1 + 1e-12)


def test_the_first_step_is_short_and_steps_at_most_double(squared):
    found, start = squared
    taken = steps(found, start, stop=Stop(tau=0.5), tolerance=1e-3)
    sizes = np.array([step.step_size for step in taken[1:]])
    assert sizes[0] < 1e-4
    assert (sizes[1:] / sizes[:-1]).max() <= 2 * (1 + 1e-9)


@pytest.fixture(scope="module")
def spread():
    """200 examples in five dimensions, their margins far apart."""
    random = np.random.default_rng(3)
    z = random.normal(size=(200, 5))
    z[:, 0] = 0.4 + 2 * np.abs(z[:, 0])
    return linear(z), torch.tensor([60.0, 1.0, -1.0, 2.0, -2.0], dtype=torch.float64)


@pytest.mark.parametrize("slack", [0.2, 0.01])
def test_a_smaller_slack_leaves_out_examples_and_not_the_path(spread, slack):
    found, start = spread
    wide, narrow = (
        steps(found, start, stop=Stop(tau=3.0, steps=10**4), tolerance=1e-3, slack=size) for size in (50.0, slack)
    )
    count = [int(taken[-1].state.memory["members"].sum()) for taken in (wide, narrow)]
    assert count[0] == 200 and count[1] < 100
    assert np.linalg.norm(direction(wide[-1].state.weights) - direction(narrow[-1].state.weights)) < 1e-3
    assert narrow[-1].ln_risk == pytest.approx(wide[-1].ln_risk, rel=1e-3)
    assert len(narrow) < 1.2 * len(wide)


def same(first, second):
    """Whether two steps are equal to the last bit."""
    fields = [field.name for field in dataclasses.fields(flow.Step) if field.name != "state"]
    states = [field.name for field in dataclasses.fields(flow.State) if field.name not in ("weights", "memory")]
    one, other = first.state, second.state
    return (
        torch.equal(one.weights, other.weights)
        and all(getattr(first, name) == getattr(second, name) for name in fields)
        and all(getattr(one, name) == getattr(other, name) for name in states)
        and one.memory.keys() == other.memory.keys()
        and all(torch.equal(one.memory[name], other.memory[name]) for name in one.memory)
    )


@pytest.mark.parametrize("at", [0, 2, 17])
def test_going_on_from_a_state_gives_the_same_bits(squared, at):
    found, start = squared
    whole = run(found, start, stop=Stop(steps=30), land=0.1)
    state = whole[at].step.state
    copies = {name: torch.from_numpy(value.numpy().copy()) for name, value in state.memory.items()}
    state = dataclasses.replace(state, weights=torch.from_numpy(state.weights.numpy().copy()), memory=copies)
    first, *rest = run(found, start, stop=Stop(steps=30), land=0.1, state=state)
    assert torch.equal(first.step.state.weights, whole[at].step.state.weights)
    assert (first.step.ln_risk, first.step.cos) == (whole[at].step.ln_risk, whole[at].step.cos)
    assert len(rest) == 30 - at
    for one, other in zip(whole[at + 1 :], rest, strict=True):
        assert same(one.step, other.step)
        assert (one.stop, one.progress) == (other.stop, other.progress)


def test_a_map_without_a_degree_goes_on_with_the_same_bits():
    z = torch.from_numpy(ROWS)
    found = FunctionMap(lambda w: (z @ w + torch.tanh(w[0]))[:, None], None)
    whole = run(found, START, stop=Stop(steps=20))
    state = whole[9].step.state
    copies = {name: torch.from_numpy(value.numpy().copy()) for name, value in state.memory.items()}
    rest = run(found, START, stop=Stop(steps=20), state=dataclasses.replace(state, memory=copies))[1:]
    assert len(rest) == 11
    assert all(same(one.step, other.step) for one, other in zip(whole[10:], rest, strict=True))


def test_states_are_not_changed_by_what_follows(squared):
    found, start = squared
    events = run(found, start, stop=Stop(steps=6))
    assert torch.equal(events[0].step.state.weights, start)
    assert len({tuple(event.step.state.weights.tolist()) for event in events}) == 7


def test_counts_of_evaluations_and_of_comparisons_rise(squared):
    found, start = squared
    taken = steps(found, start, stop=Stop(steps=20))
    assert np.diff([step.state.evaluations for step in taken]).min() >= 2
    assert np.diff([step.state.jacobians for step in taken]).min() >= 0
    assert 1 <= taken[-1].state.jacobians <= 10  # the Gram matrix is kept from step to step


# which examples take part


class Counting(FunctionMap):
    """How many examples' rows were asked for."""

    def rows(self, weights, examples):
        self.asked.append(len(examples))
        return super().rows(weights, examples)


def test_examples_left_out_are_taken_in_when_their_margins_become_the_smallest():
    """p = (w₁, w₂ − w₁/2): along the first alone the second falls, until both are equal."""
    z = torch.tensor([[1.0, 0.0], [-0.5, 1.0]], dtype=torch.float64)
    found = Counting(lambda w: (z @ w)[:, None], 1)
    object.__setattr__(found, "asked", [])
    start = torch.tensor([40.0, 120.0], dtype=torch.float64)  # margins of 40 and 100
    taken = steps(found, start, stop=Stop(tau=8))
    assert found.asked[0] == 1
    assert found.asked[-1] == 2
    exact = direction([1.0, 1.5])  # equal margins: the vector of least norm with margins of at least 1
    assert np.linalg.norm(direction(taken[-1].state.weights) - exact) < 1e-3
    everyone = linear(z)
    for step in taken:
        assert step.smallest_margin == pytest.approx(float(everyone.values(step.state.weights).min()), rel=1e-12)


def test_far_examples_change_nothing(squared):
    """Examples of ten times the inputs, and a thousand times the margins, never take part."""
    found, start = squared
    more = FunctionMap(lambda w: torch.cat([found.function(w), 1000 * found.function(w)]), 3)
    first, second = (steps(m, start, stop=Stop(steps=15))[-1] for m in (found, more))
    torch.testing.assert_close(first.state.weights, second.state.weights, rtol=1e-9, atol=1e-9)


def test_a_step_is_accepted_though_the_margin_falls():
    """A valley: with a coarse tolerance steps overshoot its floor, and the risk rises."""
    found = FunctionMap(lambda w: (10 + w[0] - 200 * w[1] ** 2).view(1, 1), None)
    start = torch.tensor([3.0, 0.2], dtype=torch.float64)
    spec = proximal.Spec(tolerance=4.0, largest_step=0.5)
    # the method itself: `follow` would end such a run
    taken = list(itertools.islice(proximal.steps(found, EXPONENTIAL, spec, flow.State.at_start(start)), 13))
    margins = np.array([step.smallest_margin for step in taken])
    assert np.diff(margins).min() < -0.1
    assert max(step.error for step in taken) <= 8.0


# where it stops


@pytest.mark.parametrize(
    ("stop", "reason"),
    [
        (Stop(steps=7), StopReason.STEPS),
        (Stop(tau=0.3), StopReason.TAU),
        (Stop(log_inverse_risk=100.0), StopReason.RISK),
        (Stop(cos=0.95), StopReason.ALIGNMENT),
        (Stop(tail=0.05), StopReason.TAIL),
    ],
)
def test_a_flow_stops_at_its_goal(squared, stop, reason):
    found, start = squared
    *before, end = run(found, start, stop=stop)
    assert end.stop == reason
    assert reason in GOALS
    assert end.progress == 1
    assert end.snapshot
    assert all(event.stop is None for event in before)
    tau = math.log(end.step.norm / float(start.norm()))
    reached = {
        StopReason.STEPS: end.step.state.step == 7,
        StopReason.TAU: tau >= 0.3 - 1e-12,
        StopReason.RISK: -end.step.ln_risk >= 100,
        StopReason.ALIGNMENT: end.step.cos >= 0.95,
        StopReason.TAIL: True,
    }
    assert reached[reason]


def test_the_path_after_the_tail_is_about_what_was_said():
    """Two examples: tan ∠ falls like 1/‖W‖, so that less is left than a power of τ would leave."""
    found = linear([[1.0, 0.2], [0.2, 1.0]])
    start = torch.tensor([4.0, 1.5], dtype=torch.float64)
    end = run(found, start, stop=Stop(tail=0.05))[-1]
    assert end.stop == StopReason.TAIL
    later = steps(found, start, stop=Stop(tau=math.log(end.step.norm / float(start.norm())) + 6))[-1]
    assert later.state.path_length - end.step.state.path_length < 0.05


def test_margins_that_rounding_decides_are_recorded_and_end_no_flow(squared):
    found, start = squared
    coarse = FunctionMap(found.function, 3, unit=1e-4)
    *_, end = run(coarse, start, stop=Stop(tau=2.5))
    assert end.stop == StopReason.TAU
    assert end.step.resolution > 1
    assert end.step.resolution == pytest.approx(16e-4 * end.step.smallest_margin, rel=1e-12)


def test_a_gradient_that_vanishes_ends_the_flow_where_it_is():
    """As where all units of a network are dead: no direction to go in, and no division by zero."""
    rows = torch.tensor(ROWS)
    found = FunctionMap(lambda w: torch.relu(rows @ w[:3] - 100 * w[3].abs())[:, None] * w[3], 2)
    (event,) = run(found, torch.tensor([0.9, 0.5, 1.8, 1.0], dtype=torch.float64))
    assert event.stop is StopReason.NOT_FINITE and event.snapshot
    assert math.isnan(event.step.cos) and math.isnan(event.step.cos_point)
    assert event.step.ln_risk == math.log(4)  # of exponential loss on four margins of zero


def test_no_step_that_can_be_solved_ends_the_flow():
    """Beyond a wall there are no margins."""
    wall = 1.2

    def margins(w):
        return (w.sum() + torch.where(w[0] < wall, 0.0, math.nan)).view(1, 1)

    start = torch.tensor([1.0, 1.0], dtype=torch.float64)
    events = run(FunctionMap(margins, 1), start, tolerance=1e-2)
    assert events[-1].stop == StopReason.STEP_UNDERFLOW
    assert events[-1].snapshot
    assert float(events[-1].step.state.weights[0]) == pytest.approx(wall, abs=1e-9)
    assert events[-1].step is events[-2].step


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"method": "proximol"}, "f.method: unknown 'proximol'; did you mean 'proximal'?"),
        ({"method": "proximal", "tolerence": 1.0}, "f.tolerence: unknown key; did you mean 'tolerance'?"),
        ({"method": "proximal", "tolerance": 0.0}, "f.tolerance: must be above zero"),
        ({"method": "proximal", "tolerance": math.nan}, "f.tolerance"),
        ({"method": "proximal", "largest_step": -0.1}, "f.largest_step: must be above zero"),
        ({"method": "proximal", "largest_step": "0.1"}, "f.largest_step"),
        ({"method": "proximal", "land": 0.0}, "f.land: must be above zero"),
    ],
)
def test_bad_options_are_one_line_that_names_the_key(options, key):
    with pytest.raises(UserError) as caught:
        flow.specification(options, "f")
    assert str(caught.value).startswith(key)
    assert "\n" not in str(caught.value)


def test_the_method_is_found_by_its_name():
    spec = flow.specification({"method": "proximal", "land": 0.5}, "f")
    assert spec == proximal.Spec(land=0.5) == flow.from_options({"method": "proximal", "land": 0.5})
