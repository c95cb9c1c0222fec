"""What is no gradient flow is not followed as one: a gradient that is not the derivative, a risk that rises."""

import dataclasses
import math

import pytest
import torch

from dirconv import flow, losses
from dirconv.errors import UserError
from dirconv.flow import soundness
from dirconv.goals import GOALS, Stop, StopReason
from dirconv.margins.function import FunctionMap
from dirconv.options import modules

LOSS = losses.get("exponential")
FLOWS = [name for name in modules("flow.methods") if name not in ("sgd", "gradient_descent", "dopri5")]
WEIGHTS = torch.tensor([1.0, 0.5, 2.0], dtype=torch.float64)
ROWS = torch.tensor([[1.0, 0.3, 0.2], [0.4, 1.0, 0.6]], dtype=torch.float64)


class StraightThrough(torch.autograd.Function):
    """ReLU forward, the identity backward."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x.relu()

    @staticmethod
    def setup_context(context, inputs, output):
        pass

    @staticmethod
    def backward(context, gradient):
        return gradient


def follow(found, method, stop, start=WEIGHTS, **options):
    spec = flow.from_options({"method": method, **options})
    return list(flow.follow(found, LOSS, spec, stop, flow.State.at_start(start.clone())))


def wrong(kind):
    """Margins on two examples of which one coordinate's part is cut out of the gradient, or is wrong there."""

    def margins(w):
        z = ROWS @ w
        if kind == "straight through":
            return (z + StraightThrough.apply(w[0] - w[2])).square()[:, None]
        if kind == "detached":
            return (z * w[2].detach())[:, None]
        return (z * (w[2] + (w[2].round() - w[2]).detach()))[:, None]  # rounded, as in training with quantization

    return margins


@pytest.mark.parametrize("degree", [2, None])
@pytest.mark.parametrize("kind", ["straight through", "detached"])
@pytest.mark.parametrize("method", FLOWS)
def test_a_backward_pass_that_is_not_the_derivative_is_refused_at_the_start(kind, degree, method):
    with pytest.raises(
        UserError, match=r"^gradient: it is not the derivative of the margins: [^\n]*`detach`"
    ) as caught:
        follow(FunctionMap(wrong(kind), degree), method, Stop(steps=2))
    assert ("Euler" in str(caught.value)) == (degree is not None)


def test_a_rounded_weight_is_seen_by_differences():
    assert "margins grow" in soundness.gradient_fault(FunctionMap(wrong("rounded"), None), LOSS, WEIGHTS)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("degree", [2, None])
def test_the_gradient_of_a_map_with_kinks_is_none_the_worse(degree, scale):
    """W lies on a kink, where one-sided derivatives differ."""

    def margins(w):
        return torch.stack([(w[0] - 2 * w[1]).relu() * w[2] + w[0] * w[1], (w[2] - w[0]).abs() * w[0]])[:, None]

    assert soundness.gradient_fault(FunctionMap(margins, degree), LOSS, scale * WEIGHTS) == ""


def test_a_gradient_that_goes_wrong_on_the_way_ends_the_flow():
    def margins(w):
        growing = w[0] * w[0] if float((w[0] / w.norm()).detach()) < 0.6 else w[0] * w[0].detach()
        return (growing + w[1] * w[2]).view(1, 1)

    events = follow(FunctionMap(margins, 2), "descent", Stop(steps=1000, tau=2.0), tolerance=0.01)
    assert events[-1].stop is StopReason.WRONG_GRADIENT
    assert StopReason.WRONG_GRADIENT not in GOALS
    number = events[-1].step.state.step
    assert soundness.is_due(number)
    before = events[number // 2].step.state.weights
    assert before[0] < 0.6 * before.norm()


def pole(w):
    """p = 1/(w₀ − 1) + w₁: the flow runs into w₀ = 1 from above, and beyond it margins are negative."""
    return (1 / (w[0] - 1) + 0.1 * w[1] + 0 * w[2]).view(1, 1)


@pytest.mark.parametrize("method", FLOWS)
def test_a_flow_into_a_pole_ends_before_the_step_that_crosses_it(method):
    start = torch.tensor([1.2, 1.0, 1.0], dtype=torch.float64)
    events = follow(FunctionMap(pole, None), method, Stop(steps=1000), start)
    assert events[-1].stop in (StopReason.RISK_ROSE, StopReason.STEP_UNDERFLOW)
    if method == "rk4":  # its steps have one size
        assert events[-1].stop is StopReason.RISK_ROSE
        assert events[-1].step.state.step == events[-2].step.state.step
        assert events[-1].snapshot and events[-1].progress == 1
    assert all(event.step.ln_risk < LOSS.ln_at_zero for event in events)


def test_a_risk_may_rise_by_what_the_error_explains_and_no_more():
    found = FunctionMap(lambda w: (ROWS @ w)[:, None], 1)
    before = follow(found, "rk4", Stop(steps=1))[0].step
    # one percent nearer to the origin: ln(1 + m) falls by about m/(1 + m) percent, which an error of 0.01 explains
    weights = 0.99 * before.state.weights
    state = dataclasses.replace(before.state, weights=weights)
    m = math.exp(before.ln_margin)
    lower = {"state": state, "norm": float(weights.norm()), "ln_margin": math.log(m - 0.01 * m)}
    for error, expected in ((1e-2, False), (2e-3, False), (1e-4, True), (0.0, True), (math.nan, False)):
        assert soundness.rose(found, LOSS, before, dataclasses.replace(before, **lower, error=error)) is expected
    # no error explains the loss of most of the margin, and none that ℒ < ℓ(0) is left
    far = {**lower, "ln_margin": math.log(0.1 * m)}
    assert soundness.rose(found, LOSS, before, dataclasses.replace(before, **far, error=0.5))
    assert soundness.rose(found, LOSS, before, dataclasses.replace(before, **{**far, "ln_margin": math.nan}, error=0.5))
    # before ℒ < ℓ(0) there is nothing to leave
    above = dataclasses.replace(before, ln_margin=math.nan)
    assert not soundness.rose(found, LOSS, above, dataclasses.replace(above, ln_risk=above.ln_risk + 1))
