"""Directions, angles and chords against closed forms, of NumPy arrays and of torch tensors."""

import math

import numpy as np
import pytest
import torch

from dirconv.geometry import angle, angles, arc, chords, directions

KINDS = [np.array, lambda values: torch.tensor(values, dtype=torch.float64)]


@pytest.mark.parametrize("of", KINDS)
@pytest.mark.parametrize("turn", [0.0, 1e-12, 1e-6, 0.3, 2.0, math.pi])
def test_angles_are_exact_where_they_are_small_and_do_not_depend_on_lengths(of, turn):
    first, second = of([3e5, 0.0]), of([1e-4 * math.cos(turn), 1e-4 * math.sin(turn)])
    assert angle(first, second) == pytest.approx(turn, rel=1e-7, abs=1e-16)


@pytest.mark.parametrize("of", KINDS)
def test_directions_have_length_one_row_by_row(of):
    rows = of([[3.0, 4.0], [0.0, -2.0]])
    assert np.asarray(directions(rows)).tolist() == [[0.6, 0.8], [0.0, -1.0]]
    assert angles(rows, rows[1]) == pytest.approx([math.pi / 2 + math.asin(0.8), 0.0], rel=1e-15)


def test_directions_of_single_precision_are_double():
    assert directions(torch.tensor([[3.0, 4.0]])).dtype == torch.float64


def test_rounding_never_leaves_the_arc_sine_without_a_value():
    assert arc(np.array([0.0, 2.0, 2.0 + 4e-16, np.nan])).tolist()[:3] == [0.0, math.pi, math.pi]


def test_chords_measure_arcs_and_pass_over_chatter():
    tau = np.linspace(0, 2, 201)
    turn = np.log1p(tau)
    chatter = 1e-3 * (-1) ** np.arange(201)
    path = np.stack([np.cos(turn), np.sin(turn), chatter], 1)
    found = chords(tau, path)
    known = np.flatnonzero(np.isfinite(found))
    assert found[known[0]] == 0
    true = turn[known[-1]] - turn[known[0]]
    assert abs(found[known[-1]] - true) < 0.01 * true
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1).sum()
    assert steps > 1.05 * true  # the path's own length is not as good
