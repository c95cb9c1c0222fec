"""From softmin to the hard minimum, past what float64 resolves, against references solved in 60 digits."""

import json
import math

import handover
import numpy as np
import pytest
import torch

from dirconv import flow, losses
from dirconv.goals import Stop
from dirconv.margins.function import FunctionMap

REFERENCES = json.loads(handover.PATH.read_text(encoding="utf-8"))


def margin_map(name):
    """The map of `handover.margins`, written for torch."""
    data = {
        key: torch.tensor(REFERENCES[name][key], dtype=torch.float64)
        for key in ("z", "x", "y")
        if key in REFERENCES[name]
    }

    def deep_linear(w):
        return w[6] * (data["z"] @ w[:4].view(2, 2).T @ w[4:6])

    def squared_relu(w):
        return data["y"] * (torch.relu(data["x"] @ w[2:].view(2, 2).T).square() @ w[:2])

    function = {"deep_linear": deep_linear, "squared_relu": squared_relu}[name]
    return FunctionMap(lambda w: function(w)[:, None], handover.DEGREE)


@pytest.fixture(scope="module", params=REFERENCES)
def reference(request):
    return request.param, REFERENCES[request.param]


def run(name, tolerance, **options):
    start = torch.tensor(REFERENCES[name]["start"], dtype=torch.float64)
    spec = flow.specification(
        {"method": "bundle", "tolerance": tolerance, "largest_step": 0.2, "land": handover.LAND, **options}, "flow"
    )
    stop, state = Stop(tau=REFERENCES[name]["tau"][-1], steps=10**5), flow.State.at_start(start)
    return [event.step for event in flow.follow(margin_map(name), losses.get("exponential"), spec, stop, state)]


def distances(name, taken):
    """Of θ to the reference's at its τ."""
    landed = [step for step in taken if step.landed]
    np.testing.assert_allclose([step.tau for step in landed], REFERENCES[name]["tau"], rtol=0, atol=1e-9)
    found = np.stack([step.state.weights.numpy() / step.norm for step in landed])
    return np.linalg.norm(found - np.array(REFERENCES[name]["theta"]), axis=1)


def test_the_reference_is_solved_far_below_what_is_compared(reference):
    """Halved steps agree, and the limit's differential–algebraic equation from τ = 10 on; s reaches more than e^60."""
    name, record = reference
    assert record["halved"] < 5e-9 and record["limit"] < 1e-12
    assert handover.DEGREE * record["tau"][-1] > 60
    theta = torch.tensor(record["theta"], dtype=torch.float64)
    margins = torch.stack([margin_map(name).values(w)[:, 0] for w in theta])
    np.testing.assert_allclose(margins.numpy(), record["margins"], rtol=1e-13)
    # softmin at the end of all digits: ln q_k − ln q_0 = −s (p_k − p_0), where float64 can form the difference
    norm = np.linalg.norm(record["start"])
    for tau, p, ln in zip(record["tau"][:2], record["margins"], record["ln_weights"], strict=False):
        s = (norm * math.exp(tau)) ** handover.DEGREE
        np.testing.assert_allclose(-s * (np.array(p) - p[0]), ln, atol=1e-15 * s * 100, rtol=1e-12)


def test_the_reference_is_the_explicit_flows_while_that_goes(reference):
    from scipy.integrate import solve_ivp

    name, record = reference
    found, start = margin_map(name), np.array(record["start"])

    def change(tau, theta):
        margins, pullback = found.linearize(torch.from_numpy(theta))
        s = (np.linalg.norm(start) * math.exp(tau)) ** handover.DEGREE
        v = pullback(torch.softmax(-s * margins.flatten(), 0)[:, None]).numpy()
        return v / (theta @ v) - theta / (theta @ theta)

    solution = solve_ivp(change, (0, record["tau"][1]), start / np.linalg.norm(start), "LSODA", rtol=1e-11, atol=1e-13)
    assert np.linalg.norm(solution.y[:, -1] - record["theta"][1]) < 1e-8


@pytest.mark.parametrize("tolerance", [1e-2, 1e-3])
def test_the_path_through_the_handover_is_the_references(reference, tolerance):
    name, _ = reference
    taken = run(name, tolerance)
    assert max(distances(name, taken)) < tolerance
    assert all(math.isfinite(step.cos) for step in taken)
    assert taken[-1].cos > 1 - 1e-5


def test_the_error_is_of_second_order_across_the_handover(reference):
    name, _ = reference
    runs = [run(name, tolerance) for tolerance in (1e-2, 1e-3, 1e-4)]
    error = [max(distances(name, taken)) for taken in runs]
    assert -np.polyfit(np.log([len(taken) for taken in runs]), np.log(error), 1)[0] > 1.7
