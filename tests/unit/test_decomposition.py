"""Both sides of the flow's decomposition: against a flow step of high accuracy, and where they must not agree. And the
rule's verdicts."""

import numpy as np
import pandas as pd
import pytest
import torch

from dirconv import losses
from dirconv.claims import Evidence, Verdict
from dirconv.claims.rules import decomposition as rule
from dirconv.measures._decomposition import decompose

LOSSES = [losses.get("exponential"), losses.get("logistic")]


def both_sides(loss, found, weights, degree):
    p, pullback = found.linearize(weights)
    velocity = pullback(loss.weights(p))
    rates = torch.func.jvp(found.function, (weights,), (velocity,))[1].detach()
    return {row["quantity"]: row for row in decompose(loss, degree, weights, p, velocity, rates)}


def step(loss, found, weights, size):
    """Classical Runge–Kutta along v, which is −∇ℒ in another clock."""

    def velocity(w):
        p, pullback = found.linearize(w)
        return pullback(loss.weights(p))

    a = velocity(weights)
    b = velocity(weights + size / 2 * a)
    c = velocity(weights + size / 2 * b)
    return weights + size / 6 * (a + 2 * b + 2 * c + velocity(weights + size * c))


def differences(loss, found, weights, size=1e-5):
    """d ln ã/dτ and dζ/dτ from two points of the flow."""
    back, on = (step(loss, found, weights, sign * size) for sign in (-1, 1))
    growth = float(torch.log(on.norm() / back.norm()))
    smoothed = [loss.inverse(float(loss.ln_risk(found.values(w)))) for w in (back, on)]
    chord = float((on / on.norm() - back / back.norm()).norm())
    return {"smoothed_margin": np.log(smoothed[1] / smoothed[0]) / growth - 3, "path_length": chord / growth}


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_both_sides_are_the_rates_along_the_flow(squared_relu, loss):
    found, weights = squared_relu
    expected = differences(loss, found, weights)
    rows = both_sides(loss, found, weights, 3)
    for quantity, row in rows.items():
        assert row["left"] == pytest.approx(expected[quantity], rel=1e-6)
        assert row["radial"] + row["spherical"] == pytest.approx(expected[quantity], rel=1e-6)
        assert row["difference"] < 1e-13
    assert rows["smoothed_margin"]["radial"] > 1e-2 < rows["smoothed_margin"]["spherical"]  # neither part is idle


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
@pytest.mark.parametrize("degree", [2, 4])
def test_with_another_degree_the_sides_differ(squared_relu, loss, degree):
    """By L (κ Σ q p/m − 1) against κ ⟨W, v⟩/m − L: the true degree is in ⟨W, v⟩ = 3 Σ q p."""
    rows = both_sides(loss, *squared_relu, degree)
    assert rows["smoothed_margin"]["difference"] > 1e-2
    assert rows["path_length"]["difference"] < 1e-13  # the direction's speed knows no degree


def test_a_velocity_or_rates_that_are_not_the_gradients_are_seen(squared_relu):
    found, weights = squared_relu
    loss = LOSSES[0]
    p, pullback = found.linearize(weights)
    velocity = pullback(loss.weights(p))
    rates = torch.func.jvp(found.function, (weights,), (velocity,))[1].detach()
    bent = velocity * (1 + 1e-4 * torch.cos(torch.arange(len(velocity))))
    for v, r in ((bent, rates), (velocity, rates * (1 + 1e-4)), (velocity, rates.float().double())):
        assert decompose(loss, 3, weights, p, v, r)[0]["difference"] > 1e-9


# the rule

THRESHOLDS = rule.Thresholds(difference=1e-6, broken=1e-3, resolution=1e-7)


def judged(differences, resolutions, degree=6, below=True, stop="tau"):
    table = pd.DataFrame({"difference": differences, "resolution": resolutions})
    table["snapshot"], table["tau"], table["quantity"] = range(len(table)), 0.1 * table.index, "path_length"
    path = pd.DataFrame({"below": [below]})
    record = {"stop": stop, "specification": {"degree": degree}}
    return rule.judge(Evidence({"path": path, "decomposition": table}, record), THRESHOLDS)


@pytest.mark.parametrize(
    ("differences", "resolutions", "verdict", "value"),
    [
        ([1e-14, 1e-7, 1e-9], [1e-12] * 3, Verdict.SUPPORTED, 1e-7),
        ([1e-14, 0.5, 1e-9], [1e-12] * 3, Verdict.CONTRADICTED, 0.5),
        ([1e-14, 1e-4, 1e-9], [1e-12] * 3, Verdict.INCONCLUSIVE, 1e-4),
        ([1e-14, 1e-9, 0.5], [1e-12, 1e-9, 1e-6], Verdict.SUPPORTED, 1e-9),  # not resolved where they differ
        ([1e-14], [1e-6], Verdict.INCONCLUSIVE, None),
        ([], [], Verdict.INCONCLUSIVE, None),
        ([1e-14, np.nan], [1e-12] * 2, Verdict.INCONCLUSIVE, None),
    ],
)
def test_the_largest_difference_where_margins_are_resolved_decides(differences, resolutions, verdict, value):
    found = judged(differences, resolutions)
    assert (found.verdict, found.value) == (verdict, value)


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"degree": None}, "no degree"), ({"below": False}, "not met"), ({"stop": "stalled"}, "stalled")],
)
def test_where_the_theorem_says_nothing_the_rule_does_not(options, reason):
    found = judged([0.5], [1e-12], **options)
    assert found.verdict == Verdict.INCONCLUSIVE
    assert reason in found.reason
