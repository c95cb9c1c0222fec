"""The flows of many small maps at once: against closed forms, SciPy's stiff solver, and the single-map method."""

from __future__ import annotations

import dataclasses
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dirconv import flow, losses
from dirconv.flow import dual
from dirconv.flow import ensemble as batch
from dirconv.flow.duals import solve_duals
from dirconv.flow.goals import Goals
from dirconv.flow.methods import proximal
from dirconv.goals import Stop, StopReason
from dirconv.margins.ensemble import EnsembleMap
from dirconv.margins.function import FunctionMap

EXPONENTIAL = losses.get("exponential")


def quadratic(weights: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    """⟨u ∘ v, z_i⟩ with W = (u, v): degree 2, smooth."""
    u, v = weights.chunk(2)
    return z @ (u * v)


def ensemble(seeds: int, n: int = 12, d: int = 4) -> tuple[EnsembleMap, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(seeds, n, d, generator=generator, dtype=torch.float64)
    teacher = torch.randn(seeds, d, 1, generator=generator, dtype=torch.float64)
    output = z @ teacher
    z = z * output.sign() + 0.3 * teacher.transpose(1, 2) / teacher.norm(dim=1, keepdim=True)
    weights = torch.randn(seeds, 2 * d, generator=generator, dtype=torch.float64)
    return EnsembleMap(quadratic, (z,), 2), weights


def test_duals_of_a_batch_are_those_of_the_single_solver():
    generator = torch.Generator().manual_seed(1)
    for scale in (1e-2, 1.0, 1e3, 1e8):
        root = torch.randn(6, 10, 4, generator=generator, dtype=torch.float64)
        a = scale * root @ root.transpose(1, 2)
        b = scale * torch.randn(6, 10, generator=generator, dtype=torch.float64)
        start = torch.zeros(6, 10, dtype=torch.float64)
        found = solve_duals(a, b, start).exp()
        for i in range(6):
            assert found[i].numpy() == pytest.approx(dual.solve(a[i], b[i]).q.numpy(), abs=1e-5)


def test_the_flow_is_the_one_that_scipy_follows():
    """dθ/dτ integrated by Radau in θ, at a tolerance of 1e-11, to τ = 1.5."""
    from scipy.integrate import solve_ivp

    maps, start = ensemble(3)
    weights, _ = batch.descend(maps, EXPONENTIAL, start, 0.02, 5000)
    errors = []
    for tolerance in (0.01, 0.0025):
        paths = batch.follow(maps, EXPONENTIAL, weights, Stop(tau=1.5, steps=10_000), tolerance=tolerance)
        worst = 0.0
        for seed, path in enumerate(paths):
            one = maps.of(torch.tensor([seed]))
            ln_norm = float(weights[seed].norm().log())

            def velocity(tau, theta, one=one, ln_norm=ln_norm):
                unit = torch.from_numpy(theta / np.linalg.norm(theta))[None]
                margins = one.values(unit) * math.exp(2 * (tau + ln_norm))
                v = one.pullback(unit, torch.softmax(-margins, 1))
                return (v / (unit * v).sum() - unit)[0].numpy()

            theta = (weights[seed] / weights[seed].norm()).numpy()
            reference = solve_ivp(velocity, (0, 1.5), theta, method="Radau", rtol=1e-9, atol=1e-11).y[:, -1]
            worst = max(worst, float(np.linalg.norm(path.weights[-1].numpy() - reference / np.linalg.norm(reference))))
        errors.append(worst)
    assert errors[0] < 3e-3
    assert errors[1] < errors[0] / 2  # of first order in the tolerance


def test_the_ensemble_agrees_with_the_method_for_one_map():
    maps, start = ensemble(2)
    weights, _ = batch.descend(maps, EXPONENTIAL, start, 0.02, 5000)
    paths = batch.follow(maps, EXPONENTIAL, weights, Stop(tau=2.0, steps=10_000), tolerance=0.005)
    for seed, path in enumerate(paths):
        z = maps.data[0][seed]
        single = FunctionMap(lambda w, z=z: quadratic(w, z)[:, None], 2)
        spec, stop = proximal.Spec(tolerance=0.005), Stop(tau=2.0, steps=10_000)
        *_, last = flow.follow(single, EXPONENTIAL, spec, stop, flow.State.at_start(weights[seed]))
        theta = last.step.state.weights / last.step.norm
        assert float((theta - path.weights[-1]).norm()) < 2e-3
        assert path.steps["zeta"].iloc[-1] == pytest.approx(last.step.state.path_length, abs=5e-3)


def test_a_seed_does_not_depend_on_those_beside_it():
    maps, start = ensemble(4)
    weights, _ = batch.descend(maps, EXPONENTIAL, start, 0.02, 5000)
    together = batch.follow(maps, EXPONENTIAL, weights, Stop(tau=1.0, steps=10_000))
    alone = batch.follow(maps.of(torch.tensor([2])), EXPONENTIAL, weights[2:3], Stop(tau=1.0, steps=10_000))[0]
    assert len(alone.steps) == len(together[2].steps)
    assert alone.weights.numpy() == pytest.approx(together[2].weights.numpy(), abs=1e-9)


def test_descend_reaches_the_assumption_and_says_where_it_cannot():
    maps, start = ensemble(3)
    weights, taken = batch.descend(maps, EXPONENTIAL, start, 0.02, 5000)
    assert (batch.ln_risk(EXPONENTIAL, maps.values(weights)) < 0).all()
    assert (taken > 0).all()
    dead = EnsembleMap(lambda w, z: -((z * w).clamp(min=0).square()).sum(-1), (torch.ones(1, 2, 3),), 2)
    stuck, _ = batch.descend(dead, EXPONENTIAL, -torch.ones(1, 3, dtype=torch.float64), 0.02, 50)
    path = batch.follow(dead, EXPONENTIAL, stuck, Stop(tau=1.0))[0]
    assert not path.steps["below"].iloc[-1]
    assert path.stop == StopReason.STEPS


def test_the_goals_of_a_batch_are_those_of_one_run():
    """`tail` too; every seed stops at its own step."""
    maps, start = ensemble(3)
    weights, _ = batch.descend(maps, EXPONENTIAL, start, 0.02, 5000)
    for stop, reason in (
        (Stop(tail=0.2), StopReason.TAIL),
        (Stop(cos=0.9), StopReason.ALIGNMENT),
        (Stop(steps=7), StopReason.STEPS),
        (Stop(log_inverse_risk=50.0), StopReason.RISK),
    ):
        for path in batch.follow(maps, EXPONENTIAL, weights, stop):
            rows = path.steps
            assert path.stop is reason
            assert path.kept[-1] == rows["step"].iloc[-1]
            goals = Goals(stop)
            reasons = [goals.check(step)[1] for step in shown(rows)]
            assert reasons == [None] * (len(rows) - 1) + [reason]


def shown(rows):
    """The steps of a table `path`, as far as goals look at them."""
    for row in rows.to_dict("records"):
        row["state"] = SimpleNamespace(step=row["step"])
        yield SimpleNamespace(**row)


def test_the_rows_of_a_batch_are_those_of_steps():
    maps, start = ensemble(2)
    weights, _ = batch.descend(maps, EXPONENTIAL, start, 0.02, 5000)
    rows = batch.follow(maps, EXPONENTIAL, weights, Stop(tau=0.5))[0].steps
    fields = [f.name for f in dataclasses.fields(flow.Step) if f.name not in ("state", "tau")]
    derived = ["tan", "smoothed_margin", "below"]
    assert list(rows) == ["step", "tau", "evaluations", "jacobians", "zeta", *derived, *fields]
    np.testing.assert_allclose(rows["tau"], np.log(rows["norm"] / rows["norm"][0]), atol=1e-14)
    np.testing.assert_allclose(rows["tan"], np.sqrt(1 - rows["cos"] ** 2) / rows["cos"], rtol=1e-6)


def test_forward_rates_and_backward_pullback_are_one_derivative():
    maps, weights = ensemble(3)
    margins, jacobian = maps.jacobian(weights)
    v = torch.randn(weights.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    q = torch.softmax(-margins, 1)
    assert maps.values(weights).numpy() == pytest.approx(margins.numpy())
    assert maps.rates(weights, v).numpy() == pytest.approx((jacobian @ v[:, :, None])[:, :, 0].numpy())
    assert maps.pullback(weights, q).numpy() == pytest.approx((q[:, None] @ jacobian)[:, 0].numpy())
