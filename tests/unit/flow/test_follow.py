"""Where a flow starts, stops and goes on, and which of its steps are snapshots."""

import dataclasses
import math

import pytest
import torch
from descents import ROWS, START, run
from torch import nn

from dirconv import flow, losses
from dirconv.errors import UserError
from dirconv.flow.goals import Goals
from dirconv.flow.point import record
from dirconv.goals import GOALS, Stop, StopReason
from dirconv.margins.network import NetworkMap
from dirconv.options import modules


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


def test_there_is_no_level_beyond_the_highest():
    highest = flow.level(-flow.HIGHEST, 8)
    assert flow.level(-1e14, 8) < highest
    assert [flow.level(ln_risk, 8) for ln_risk in (-1.001e15, -1e30, -1e300, -math.inf)] == [highest] * 4


@pytest.mark.parametrize(
    ("ln_risk", "ln_margin", "expected"),
    [
        (-230.2585092994046, 5.4, "log10 L -100.00"),
        (1.0, math.nan, "log10 L 0.43"),
        (-1e6 * math.log(10), 14.6, "log10 L -1000000.00"),
        (-math.exp(20.0), 20.0, "ln ln(1/L) 20.00"),
        (-math.inf, 1040.25, "ln ln(1/L) 1040.25"),
    ],
)
def test_a_risk_of_many_decades_is_shown_by_its_logarithm(ln_risk, ln_margin, expected):
    assert flow.risk_in_words(ln_risk, ln_margin) == expected


def step(**fields):
    """A step far along a flow, by the fields that goals read."""
    given = {"tau": 100.0, "ln_risk": -math.inf, "norm": math.exp(104.0), "cos": 0.9, "cos_point": 0.9}
    rest = dict.fromkeys(("unnormalised_margin", "smallest_margin"), math.inf)
    state = flow.State(START, 1.0, step=7)
    return flow.Step(state=state, effective_examples=1.0, resolution=math.inf, **{**given, **rest, **fields})


@pytest.mark.parametrize(
    ("goals", "fields", "share", "reason"),
    [
        ({}, {}, 0.007, None),
        ({"tau": 200.0}, {}, 0.5, None),
        ({"tau": 100.0}, {}, 1.0, StopReason.TAU),
        ({"log_inverse_risk": 1e300}, {}, 1.0, StopReason.RISK),
        ({"log_inverse_risk": 1e300}, {"ln_risk": -1e299}, 0.1, None),
        ({}, {"ln_risk": math.inf}, 1.0, StopReason.NOT_FINITE),
        ({}, {"ln_risk": math.nan}, 1.0, StopReason.NOT_FINITE),
        ({}, {"norm": math.inf}, 1.0, StopReason.NOT_FINITE),
    ],
)
def test_a_risk_whose_logarithm_overflows_is_no_reason_to_stop_but_reaches_its_goal(goals, fields, share, reason):
    found = Goals(Stop(**goals)).check(step(**fields))
    assert found == (pytest.approx(share, rel=1e-12), reason)


def test_a_step_at_unit_norm_is_recorded_with_ln_s_apart():
    """ℓ⁻¹(ℒ) = s min p for one smallest margin; temperature 1/(s min p)."""
    theta = torch.tensor([0.6, 0.8], dtype=torch.float64)
    loss, margins = losses.get("exponential"), torch.tensor([[0.5], [0.75]], dtype=torch.float64)
    weights = theta * math.exp(104.0)
    state, ln_scale = flow.State(weights, 1.0), 10 * 104.0
    q = loss.weights(margins, ln_scale)
    found = record(loss, state, weights, margins, q, ln_scale=ln_scale, cos=1.0, cos_point=1.0, resolution=0.0)
    assert (found.ln_risk, found.unnormalised_margin, found.smallest_margin) == (-math.inf, math.inf, math.inf)
    assert found.ln_margin == pytest.approx(1040.0 + math.log(0.5), rel=1e-14)
    assert found.temperature == 0.0 and found.effective_examples == 1.0
    assert list(found.row())[-2:] == ["ln_margin", "temperature"]
    near = record(loss, state, theta, margins, q, cos=1.0, cos_point=1.0, resolution=0.0, temperature=0.0)
    assert near.temperature == 0.0  # as given: the step took the hard minimum
    plain = record(loss, state, theta, 3 * margins, q, cos=1.0, cos_point=1.0, resolution=0.0)
    scaled = record(loss, state, theta, margins, q, ln_scale=math.log(3), cos=1.0, cos_point=1.0, resolution=0.0)
    assert plain.temperature == pytest.approx(1 / 1.5, rel=1e-15)
    for name in ("ln_risk", "unnormalised_margin", "smallest_margin", "ln_margin", "temperature"):
        assert getattr(scaled, name) == pytest.approx(getattr(plain, name), rel=1e-14)


def test_a_risk_above_one_is_below_every_level():
    assert flow.level(0.0, 8) == flow.level(5.0, 8) < flow.level(-1e-8, 8)


class Sum:
    """p(w) = Σ w."""

    degree, unit = 1, 2.0**-53

    def linearize(self, weights):
        return weights.sum().view(1, 1), lambda q: torch.ones_like(weights) * q.sum()


class Kink:
    """Margins that grow, and a gradient that at every other point but the start turns by a right angle."""

    degree, unit = 1, 2.0**-53

    def __init__(self, start):
        self.start = start

    def linearize(self, weights):
        turned = not torch.equal(weights, self.start)
        velocity = torch.tensor([0.0, 1.0] if turned else [1.0, 0.0], dtype=torch.float64)
        return weights.sum().view(1, 1), lambda q: velocity

    def precise(self):
        """The same margins with their gradient: that it turns is no fault here."""
        return Sum()


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

        def precise(self):
            return Sum()

    events = run(Breaks(), torch.tensor([1.0, 1.0]).double(), stop=Stop(steps=300), largest_step=0.05)
    *before, end = events
    assert len(before) > 3
    assert all(event.stop is None and math.isfinite(event.step.ln_risk) for event in before)
    assert end.stop == StopReason.NOT_FINITE if broken.startswith("margins") else end.stop is not None
    assert end.stop not in GOALS


@pytest.mark.parametrize("name", modules("flow.methods"))
def test_every_method_says_whether_it_follows_coupled_examples(name):
    spec = flow.from_options({"method": name})
    assert spec.couples is (name != "proximal")
    assert "couples" not in dataclasses.asdict(spec)  # no option: what was specified before stays what it is
    why = flow.refusal(spec, True)
    assert (name in why and "couple" in why) if name == "proximal" else why == ""
    assert flow.refusal(spec, False) == ""


@pytest.mark.parametrize("method", ["proximal", "rk4", "descent"])
def test_a_network_with_batch_statistics_is_followed_by_methods_that_can(method):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Tanh(), nn.Flatten(), nn.Linear(8, 1)).double()
    images = torch.randn(6, 1, 4, 4, dtype=torch.float64)
    labels = 1.0 - 2.0 * (torch.arange(6) % 2)
    found = NetworkMap(network, images, labels, None, coupled=True, chunk=3)
    loss, spec, start = losses.get("logistic"), flow.from_options({"method": method}), found.flatten()

    def follow(margin_map):
        return list(flow.follow(margin_map, loss, spec, Stop(steps=2), flow.State.at_start(start)))

    if method == "proximal":
        with pytest.raises(UserError, match=r"^flow.method: proximal cannot follow .* couple its examples; .*descent"):
            follow(found)
        found = found.frozen(start)
    assert follow(found)[-1].stop == StopReason.STEPS
