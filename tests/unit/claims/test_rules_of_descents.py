"""The rule about discrete descents: their distance from the flow is of first order in the step size."""

import math

import pandas as pd
import pytest
from evidence import CONTRADICTED, INCONCLUSIVE, SUPPORTED, judged_claim


def ladder(order, floor=0.0, fractions=(0.03125, 0.0625, 0.125, 0.25, 0.5), reached=0.1):
    rows = [
        {
            "method": "ln_gd",
            "fraction": f,
            "step_size": 0.01 * f,
            "tau": tau,
            "last": False,
            "angle": floor + 0.01 * f**order,
        }
        for f in fractions
        for tau in (0.05, 0.1)
        if tau <= reached
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("table", "verdict", "order"),
    [
        (ladder(1.0), SUPPORTED, 1.0),
        (ladder(2.0), CONTRADICTED, 2.0),
        (ladder(0.0, floor=0.1), CONTRADICTED, 0.0),  # elsewhere, however small the steps
        (ladder(1.0, fractions=(0.25, 0.5)), INCONCLUSIVE, None),
        (ladder(1.0, reached=0.0), INCONCLUSIVE, None),
        (ladder(1.0).assign(angle=1e-9), INCONCLUSIVE, None),  # below the flow's own error
    ],
)
def test_step_order(table, verdict, order):
    table = table.reindex(columns=["method", "fraction", "step_size", "tau", "last", "angle"])
    table["last"] = table["last"].astype(bool)
    found = judged_claim("discrete_time", descents=table)
    assert found.verdict == verdict
    assert found.value is None if order is None else math.isclose(found.value, order, abs_tol=1e-6)
