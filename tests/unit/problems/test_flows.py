"""How problems follow a flow: against SciPy's stiff solver, and a map's derivatives against each other."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from dirconv import flow, losses
from dirconv.margins.function import FunctionMap
from dirconv.problems import _flows, deep_linear, homogeneous_map
from dirconv.problems._options import Flowing

EXPONENTIAL = losses.get("exponential")


def quadratic(weights: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    """⟨u ∘ v, z_i⟩ with W = (u, v): degree 2, smooth."""
    u, v = weights.chunk(2)
    return (z @ (u * v))[:, None]


def started(seed: int, n: int = 12, d: int = 4) -> tuple[FunctionMap, torch.Tensor]:
    """A map of separable examples, and a start."""
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(n, d, generator=generator, dtype=torch.float64)
    teacher = torch.randn(d, 1, generator=generator, dtype=torch.float64)
    z = z * (z @ teacher).sign() + 0.3 * teacher.T / teacher.norm()
    return FunctionMap(quadratic, 2, (z,)), torch.randn(2 * d, generator=generator, dtype=torch.float64)


def test_the_flow_is_the_one_that_scipy_follows():
    """dθ/dτ integrated by Radau in θ, at a tolerance of 1e-11, to τ = 1.5."""
    from scipy.integrate import solve_ivp

    worst = []
    for tolerance in (0.02, 0.001):
        errors = []
        for seed in range(2):
            found, start = started(seed)
            *_, first = _flows.descend(found, EXPONENTIAL, start, 5000)
            kept = _flows.follow(found, EXPONENTIAL, start, Flowing(tau=1.5, tolerance=tolerance))
            ln_norm = math.log(first.norm)

            def velocity(tau, theta, found=found, ln_norm=ln_norm):
                unit = torch.from_numpy(theta / np.linalg.norm(theta))
                margins, pullback = found.linearize(unit)
                v = pullback(torch.softmax(-margins * math.exp(2 * (tau + ln_norm)), 0))
                return (v / (unit @ v) - unit).numpy()

            theta = (first.state.weights / first.norm).numpy()
            reference = solve_ivp(velocity, (0, 1.5), theta, method="Radau", rtol=1e-9, atol=1e-11).y[:, -1]
            errors.append(np.linalg.norm(kept.theta[-1].numpy() - reference / np.linalg.norm(reference)))
        worst.append(max(errors))
    assert worst[0] < 2e-3  # where steps are as long as landing lets them be
    assert worst[1] < 5e-4 and worst[1] < worst[0] / 2


def test_what_is_kept_stands_where_every_run_lands():
    spec = homogeneous_map.Spec(tau=2.0, land=4)
    for one in homogeneous_map.follow(spec, [1, 2]):
        expected = [2 ** (k / 4) - 1 for k in range(7)] + [2.0]
        np.testing.assert_allclose(one.tables["limit"]["tau"], expected, atol=1e-12)


def test_a_seed_does_not_depend_on_those_beside_it():
    spec = deep_linear.Spec(depth=2, tau=1.0)
    together, (alone,) = deep_linear.follow(spec, [0, 2]), deep_linear.follow(spec, [2])
    for name in deep_linear.TABLES:
        assert together[1].tables[name].equals(alone.tables[name])


def test_the_descent_reaches_the_assumption_and_says_where_it_cannot():
    for seed in range(3):
        found, start = started(seed)
        *before, first = _flows.descend(found, EXPONENTIAL, start, 5000)
        assert first.ln_risk < 0 <= before[-1].ln_risk
    dead = FunctionMap(lambda w, z: -((z * w).clamp(min=0).square()).sum(1, keepdim=True), 2, (torch.ones(2, 3),))
    kept = _flows.follow(dead, EXPONENTIAL, -torch.ones(3, dtype=torch.float64), Flowing(tau=1.0, descent=50))
    assert kept.path["below"].tolist() == [False] and len(kept.at) == 1
    assert kept.stop == "steps"
    assert kept.decomposition().empty


def test_the_rows_of_a_path_are_those_of_steps():
    spec = homogeneous_map.Spec(tau=0.5)
    path = homogeneous_map.follow(spec, [1])[0].tables["path"]
    row = next(iter(flow.follow(*plain(), flow.State.at_start(torch.ones(2).double())))).step.row()
    assert [*path] == [*[*row][:5], "tan", "smoothed_margin", "below", *[*row][5:]]
    np.testing.assert_allclose(path["tau"], np.log(path["norm"] / path["norm"][0]), atol=1e-14)
    np.testing.assert_allclose(path["tan"], np.sqrt(1 - path["cos"] ** 2) / path["cos"], rtol=1e-6)


def plain():
    from dirconv.flow.methods import bundle
    from dirconv.goals import Stop

    return FunctionMap(lambda w: w[:1, None], 1), EXPONENTIAL, bundle.Spec(), Stop(tau=0.1)


@pytest.mark.parametrize("data", [True, False])
def test_rows_rates_and_pullbacks_of_a_function_are_one_derivative(data):
    generator = torch.Generator().manual_seed(3)
    x, w, v = (torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in ((5, 3), (12,), (12,)))

    def of(w: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        out = torch.tanh(x @ w.view(3, 4))
        return torch.stack([out.square().sum(1), out[:, 0] ** 3], 1)  # two margins an example

    found = FunctionMap(of, None, (x,)) if data else FunctionMap(lambda w: of(w, x), None)
    expected = torch.autograd.functional.jacobian(lambda w: of(w, x), w)
    some = torch.tensor([3, 0])
    margins, rows = found.jacobian(w, some)
    q = torch.randn(5, 2, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(margins, of(w, x)[some])
    torch.testing.assert_close(rows.push(v), (expected[some] @ v).flatten())
    torch.testing.assert_close(found.rates(w, v), expected @ v)
    torch.testing.assert_close(found.linearize(w)[1](q), (q[..., None] * expected).sum((0, 1)))
    torch.testing.assert_close(
        found.rows(w, some).gram(), expected[some].flatten(0, 1) @ expected[some].flatten(0, 1).T
    )
