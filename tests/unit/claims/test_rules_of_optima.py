"""Rules about known optima: maximum margins, and directions that losses have in common."""

import math

import numpy as np
import pandas as pd
import pytest
from evidence import CONTRADICTED, INCONCLUSIVE, SUPPORTED, judged_claim

TAU = np.linspace(0, 8, 33)


def limit(gap=0.0, **columns):
    return pd.DataFrame({"tau": TAU, "lower": 1 - gap, "upper": 1.0, **columns})


@pytest.mark.parametrize(
    ("angle", "gap", "verdict"),
    [
        (np.exp(-2 * TAU), 0.0, SUPPORTED),
        (0.1 + 0 * TAU, 0.0, CONTRADICTED),
        (0.1 + np.exp(-2 * TAU), 0.0, CONTRADICTED),
        (0.1 * np.exp(-0.5 * TAU), 0.0, INCONCLUSIVE),  # on its way
        (np.exp(-2 * TAU), 1e-3, INCONCLUSIVE),  # to an answer that is not known
    ],
)
def test_max_margin(angle, gap, verdict):
    assert judged_claim("deep_linear_max_margin", limit=limit(gap, angle=angle)).verdict == verdict


@pytest.mark.parametrize(("end", "verdict"), [(1e-15, SUPPORTED), (1e-3, INCONCLUSIVE)])
def test_three_points_say_no_rate_but_a_small_angle_is_small(end, verdict):
    table = limit(angle=end).iloc[:3]
    assert judged_claim("deep_linear_max_margin", limit=table).verdict == verdict


@pytest.mark.parametrize(
    ("ratio", "gap", "verdict"),
    [
        (1 - np.exp(-TAU), 0.0, SUPPORTED),
        (0.9 - np.exp(-TAU), 0.0, CONTRADICTED),
        (0.98 - 0.4 * np.exp(-0.2 * TAU), 0.0, INCONCLUSIVE),
        (1 - np.exp(-TAU), 1e-3, INCONCLUSIVE),
    ],
)
def test_margin_ratio(ratio, gap, verdict):
    assert judged_claim("squared_relu_max_margin", limit=limit(gap, ratio=ratio)).verdict == verdict


@pytest.mark.parametrize("options", [{"below": False}, {"stop": "precision"}])
@pytest.mark.parametrize("claim", ["deep_linear_max_margin", "squared_relu_max_margin"])
def test_where_the_assumption_is_not_met_nothing_is_said(claim, options):
    table = limit(angle=np.exp(-2 * TAU), ratio=1.0)
    assert judged_claim(claim, limit=table, **options).verdict == INCONCLUSIVE


# one direction for several losses


def losses(logistic, polynomial=0.3, end=4.0):
    rows = []
    for tau in np.linspace(0, end, 17):
        for loss, angle in (("exponential", 0.0), ("logistic", logistic(tau)), ("polynomial", polynomial)):
            rows.append({"loss": loss, "tau": tau, "below": True, "function_angle": angle, "function_to_end": angle})
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("table", "verdict"),
    [
        (losses(lambda t: 0.5 * math.exp(-2 * t)), SUPPORTED),
        (losses(lambda t: 0.2), CONTRADICTED),
        (losses(lambda t: 0.2 * math.exp(-0.5 * t)), INCONCLUSIVE),  # on its way
        (losses(lambda t: 0.0, end=0.5), INCONCLUSIVE),
    ],
)
def test_one_direction(table, verdict):
    found = judged_claim("general_losses", losses=table)
    assert found.verdict == verdict
    if verdict != INCONCLUSIVE:
        assert "polynomial 0.3" in found.reason
