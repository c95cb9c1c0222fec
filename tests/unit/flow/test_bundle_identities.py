"""Identities of the flow of a ReLU network (docs/flow.md, section 2), with the velocity of steps that resolve kinks."""

import numpy as np
import pytest

from dirconv import flow
from dirconv.goals import Stop
from dirconv.problems import _dense, dense

SEED, TAU, DEGREE = 10, 4.0, 2
TOLERANCE, LAND = 0.01, 24  # landings a doubling of 1 + τ


@pytest.fixture(scope="module")
def taken():
    """Every step from ℒ = ℓ(0) to τ = 4, of two layers, 32 ReLUs and 60 digits, odd against even."""
    spec = dense.Spec()
    assert (spec.layers, spec.width, spec.examples, spec.activation) == (2, 32, 60, "relu")
    found, loss = _dense.margin_map(spec, _dense.images(spec, [SEED]).of(0), "exponential")
    assert found.degree == DEGREE
    first, _ = dense.descend(found, loss, _dense.start(spec, [SEED])[0], spec.descent)
    options = {"method": "bundle", "tolerance": TOLERANCE, "largest_step": 0.1, "land": LAND}
    chosen, stop, state = (
        flow.specification(options, "flow"),
        Stop(tau=TAU, steps=10_000),
        flow.State.at_start(first),
    )
    steps = [event.step for event in flow.follow(found, loss, chosen, stop, state)]
    assert steps[-1].tau >= TAU * (1 - 1e-9)
    return steps


def column(steps, name):
    return np.array([getattr(step, name) for step in steps])


def tan(steps):
    return np.sqrt(1 / column(steps, "cos") ** 2 - 1)


def test_the_length_by_chords_is_the_integral_of_the_tangent(taken):
    """dζ/dτ = tan ∠: to 2 % over the whole path, and to 5 % over its slow part, where chatter weighs more."""
    landed = [taken[0], *(step for step in taken if step.landed)]
    for start, share in ((0.0, 0.02), (0.5, 0.05)):
        ends = [step for step in landed if step.tau >= start]
        points = np.stack([step.state.weights.numpy() / step.norm for step in ends])
        chords = np.linalg.norm(np.diff(points, axis=0), axis=1).sum()
        inside = [step for step in taken if ends[0].tau <= step.tau <= ends[-1].tau]
        integral = (tan(inside)[1:] * np.diff(column(inside, "tau"))).sum()  # a step's velocity is that of its end
        assert len(ends) > 20
        assert chords == pytest.approx(integral, rel=share)


def test_every_unit_stays_balanced(taken):
    """a_j² − ‖w_j‖² is constant: both blocks have degree one, with kinks too (docs/flow.md, (2.9))."""

    def gaps(w):
        inner, outer = w[: 32 * 64].view(32, 64), w[32 * 64 :]
        return outer.square() - inner.square().sum(1)

    first = gaps(taken[0].state.weights)
    for step in taken:
        assert float((gaps(step.state.weights) - first).abs().max()) < TOLERANCE * step.norm**2
    assert float(first.abs().max()) > 0.01 * taken[0].norm ** 2  # so that a balance that is lost would show
    assert taken[-1].norm > 50 * taken[0].norm


def test_the_smoothed_margin_rises_by_the_squared_tangent(taken):
    """d ln ã/dτ ≥ L tan² ∠ ≥ 0: in no step does it fall by more than a tenth of the tolerance."""
    log = np.log(column(taken, "unnormalised_margin")) - DEGREE * np.log(column(taken, "norm"))
    assert np.diff(log).min() > -0.1 * TOLERANCE
    least = DEGREE * (tan(taken)[1:] ** 2 * np.diff(column(taken, "tau"))).sum()
    assert 0 < least <= (log[-1] - log[0]) * 1.01


def test_the_velocity_aligns_with_the_weights(taken):
    """Where a step that takes one side's velocity is at 0.96 at τ = 3."""
    assert next(step.cos for step in taken if step.tau > 3) > 0.995
