"""The flow with its kinks resolved against closed forms: position, velocity and length where it slides and crosses."""

import dataclasses

import kinked
import numpy as np
import pytest
import torch

from dirconv import flow, losses
from dirconv.goals import Stop

LAND = 12  # τ = 2^(k/12) − 1: 0.06, 0.12, …
COARSE, FINE = 1e-2, 1e-3  # tolerances
SLIDES = {"held_and_released": 1, "two_held": 2, "pool_held": 1, "ties_and_a_kink": 2}  # which phase slides
ALONG = 2 ** (2 / LAND) - 1  # how far along a slide: a landing
STEPS = (4e-3, 2e-3, 1e-3, 5e-4)  # the largest steps there
LIMIT = 1e-9  # below it errors are those of the dual's solver and of rounding


def run(problem, tolerance, largest_step=0.02):
    """Every step of the flow."""
    options = {"method": "bundle", "tolerance": tolerance, "largest_step": largest_step, "land": LAND}
    spec, stop = flow.specification(options, "flow"), Stop(tau=problem.tau, steps=10**6)
    state = flow.State.at_start(problem.start.clone())
    taken = [event.step for event in flow.follow(problem.map, losses.get("exponential"), spec, stop, state)]
    assert taken[-1].tau >= problem.tau * (1 - 1e-9)
    return taken


def unit(w):
    w = np.asarray(w)
    return w / np.linalg.norm(w)


def chords(points):
    return float(np.linalg.norm(np.diff(np.stack(points), axis=0), axis=1).sum())


def errors(problem, taken, shift=0.0):
    """Of the position, of the velocity's cos away from corners, and of the length by chords, whose ends are the steps'.

    shift: the exact path's τ at the start.
    """
    points = [unit(step.state.weights) for step in taken]
    exact = [unit(problem.path.weights(shift + step.tau)) for step in taken]
    corners = [begin for begin in problem.begins if begin > shift]
    smooth = [step for step in taken[3:] if all(abs(shift + step.tau - corner) > 0.02 for corner in corners)]
    return {
        "position": max(np.linalg.norm(a - b) for a, b in zip(points, exact, strict=True)),
        "cos": max(abs(step.cos - problem.path.cos(shift + step.tau)) for step in smooth),
        "length": abs(chords(points) - chords(exact)),
    }


@pytest.mark.parametrize("name", kinked.PROBLEMS)
def test_position_velocity_and_length_are_exact_to_the_tolerance(name):
    """Through corners where the velocity jumps, too: a step that holds one is made short by its error."""
    problem = kinked.PROBLEMS[name]()
    for tolerance in (COARSE, FINE):
        found = errors(problem, run(problem, tolerance))
        assert max(found.values()) < 3 * tolerance, found


def sliding(name):
    """The problem from where it slides, and the exact path's τ there."""
    problem = kinked.PROBLEMS[name]()
    begin = problem.path.begins[SLIDES[name]]
    start = torch.from_numpy(problem.path.weights(begin))
    return dataclasses.replace(problem, start=start, tau=ALONG), begin


@pytest.mark.parametrize("name", SLIDES)
def test_along_a_slide_position_velocity_and_length_are_of_first_order_or_better(name):
    problem, begin = sliding(name)
    found = [errors(problem, run(problem, 1.0, step), begin) for step in STEPS]
    for quantity in found[0]:
        values = [each[quantity] for each in found]
        order = np.polyfit(np.log(STEPS), np.log(np.maximum(values, LIMIT)), 1)[0]
        assert order > 0.8 or values[-1] < LIMIT, (quantity, values)


@pytest.mark.parametrize("name", SLIDES)
def test_along_a_slide_position_and_length_are_exact_to_1e_6(name):
    """At landings, extrapolated from steps 2h and h: an error of order one goes, one of order two doubles."""
    problem, begin = sliding(name)
    points, lengths = [], []
    for step in (1e-3, 5e-4):
        landed = [each for each in run(problem, 1.0, step) if each.landed]
        points.append(np.stack([unit(each.state.weights) for each in landed]))
        lengths.append(chords(points[-1]))
    exact = [unit(problem.path.weights(begin + each.tau)) for each in landed]
    assert np.abs(2 * points[1] - points[0] - np.stack(exact)).max() < 1e-6
    assert 2 * lengths[1] - lengths[0] == pytest.approx(chords(exact), abs=1e-6)


@pytest.mark.parametrize("name", SLIDES)
def test_along_a_slide_the_kink_is_held(name):
    problem, _ = sliding(name)
    first = np.abs(problem.kinks @ unit(problem.start))
    for step in run(problem, FINE):
        distance = np.abs(problem.kinks @ unit(step.state.weights))
        assert distance[first < 1e-9].max() < FINE
