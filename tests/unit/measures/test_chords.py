"""The path's length by chords: of an arc, of a zigzag whose steps have another length, of an uneven partition."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from dirconv import losses
from dirconv.margins.function import FunctionMap
from dirconv.measures import Trajectory, chords

LINEAR = FunctionMap(lambda w: w[:1, None], 1)


def run(tau, theta, landed):
    """Steps to directions `theta` (m, D), all of them snapshots."""
    norm = np.exp(tau)
    steps = pd.DataFrame({"step": range(len(tau)), "tau": tau, "evaluations": 1, "jacobians": 1, "zeta": 0.0})
    steps = steps.assign(ln_risk=-norm, norm=norm, cos=0.5, unnormalised_margin=norm, landed=landed)
    weights = torch.as_tensor(np.asarray(theta) * norm[:, None])
    loss = losses.get("exponential")
    return Trajectory(pd.DataFrame(), steps, steps["step"].to_numpy(), weights, LINEAR, LINEAR, loss)


def lands(tau, partition):
    """Which τ are points of the partition; the start never counts as landed."""
    return np.array([t > 0 and np.isclose(t, partition, rtol=0, atol=1e-12).any() for t in tau])


def circle(angle, height):
    """Points at that angle on the circle of latitude at a height; its radius is √(1 − height²)."""
    radius = math.sqrt(1 - height**2)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), np.full_like(angle, height)], 1)


def test_chords_of_a_great_circle_are_its_arcs():
    """With points at τ_k = 2^(k/2) − 1 and others between, which do not count."""
    partition = 2 ** (np.arange(9) / 2) - 1
    tau = np.unique(np.r_[partition, np.linspace(0, 15, 41)])
    speed = 0.05
    table = chords.table(run(tau, circle(speed * tau, 0.0), lands(tau, partition)))
    np.testing.assert_allclose(table["tau"], partition, atol=1e-12)
    np.testing.assert_allclose(table["zeta"], speed * partition, rtol=1e-12)
    np.testing.assert_allclose(table["speed"][1:], speed, rtol=1e-12)
    np.testing.assert_allclose(table["chord"][1:], speed * np.diff(partition), rtol=1e-12)
    np.testing.assert_allclose(table["over_two"][2:], speed * (partition[2:] - partition[:-2]), rtol=1e-12)
    assert table["chord"].isna().tolist() == [True] + [False] * 8
    assert table["over_two"].isna().tolist() == [True] * 2 + [False] * 7


@pytest.mark.parametrize("points", [8, 16, 32])
def test_an_arc_is_longer_than_its_chords_by_the_square_of_what_it_turns_over_24(points):
    """On a circle of latitude; δ is the angle by which it turns on the sphere between two neighbours."""
    height, turn = 0.6, 1.0
    tau = np.linspace(0, 1, points + 1)
    table = chords.table(run(tau, circle(turn * tau, height), tau > 0))
    length = 0.8 * turn
    delta = height * turn / points  # geodesic curvature height/radius times the length radius · turn/points
    lack = 1 - table["zeta"].iloc[-1] / length
    assert lack == pytest.approx(delta**2 / 24, rel=0.01)
    halves = table["chord"].iloc[1] + table["chord"].iloc[2]
    assert 1 - table["over_two"].iloc[2] / halves == pytest.approx(3 * delta**2 / 24, rel=0.02)


def test_the_lengths_of_steps_across_a_kink_do_not_converge_and_chords_do():
    """Steps of h go along +y and −y in turn, at 45 degrees to the path: √2 times its length for every h."""
    partition, length = np.linspace(0, 1, 5), 0.4
    errors, of_steps = [], []
    for count in (64, 256, 1024):
        tau = np.arange(count + 1) / count
        along, side = length * tau, np.where(np.arange(count + 1) % 2, 0.5, -0.5) * length / count
        theta = np.stack([np.cos(along) * np.cos(side), np.sin(along) * np.cos(side), np.sin(side)], 1)
        table = chords.table(
            run(tau, theta, lands(tau, partition[1:] + 1 / count))
        )  # ends on the other side of the kink
        every = chords.table(run(tau, theta, tau > 0))
        of_steps.append(every["zeta"].iloc[-1])
        errors.append(abs(table["zeta"].iloc[-1] - length * table["tau"].iloc[-1]))
    np.testing.assert_allclose(of_steps, math.sqrt(2) * length, rtol=1e-3)
    assert errors[-1] < 1e-5 * length
    # the ends lie within h of the path
    np.testing.assert_allclose(np.array(errors[:-1]) / errors[1:], 16, rtol=0.1)


def test_a_run_that_landed_nowhere_has_no_chord():
    table = chords.table(run(np.array([0.0, 0.1]), circle(np.array([0.0, 0.1]), 0.0), False))
    assert len(table) == 1 and table["zeta"].tolist() == [0.0]
    assert table[["chord", "over_two", "speed"]].isna().all(axis=None)
