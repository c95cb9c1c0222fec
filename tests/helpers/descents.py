"""Flows that are followed by descent on ln ℒ."""

import numpy as np
import torch

from dirconv import flow, losses
from dirconv.flow.methods import descent
from dirconv.goals import Stop

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
