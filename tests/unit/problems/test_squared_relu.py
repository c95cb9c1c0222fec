"""Squared ReLU: the flow reaches the best measure, and its start covers the sphere."""

import numpy as np
import pytest
from evidence import verdict

from dirconv.claims import Verdict
from dirconv.problems import squared_relu


def test_squared_relu_reaches_the_best_measure_from_a_cover():
    spec = squared_relu.Spec(neurons=32, tau=7.0)
    for one in squared_relu.follow(spec, [0, 1]):
        assert verdict("squared_relu_max_margin", one, spec) == Verdict.SUPPORTED
        assert one.tables["limit"]["ratio"].max() <= 1 + 1e-9  # a certified bound


def test_trained_outputs_stay_below_the_bound_of_one_neuron():
    spec = squared_relu.Spec(neurons=32, tau=4.0, trained=True)
    (one,) = squared_relu.follow(spec, [0])
    assert spec.degree == 3
    assert 0 < one.tables["limit"]["ratio"].iloc[-1] <= 1 + 1e-9


@pytest.mark.parametrize("dimension", [2, 3])
def test_a_cover_has_a_neuron_of_either_sign_near_every_direction(dimension):
    spec = squared_relu.Spec(dimension=dimension, neurons=400)
    w = squared_relu.start(spec, 3).reshape(-1, dimension)
    unit = w / np.linalg.norm(w, axis=1, keepdims=True)
    anywhere = np.random.default_rng(0).normal(size=(500, dimension))
    anywhere /= np.linalg.norm(anywhere, axis=1, keepdims=True)
    for sign in (0, 1):
        nearest = (anywhere @ unit[sign::2].T).max(1)
        assert np.arccos(nearest.min()) < (0.02 if dimension == 2 else 0.25)
