"""The rule about what becomes of the distance from test images to the decision boundary."""

import math

import pandas as pd
import pytest
from evidence import CONTRADICTED, INCONCLUSIVE, SUPPORTED, judged_claim


@pytest.mark.parametrize(
    ("start", "end", "tau", "verdict"),
    [
        (0.5, 0.7, 2.0, SUPPORTED),
        (0.5, 0.4, 2.0, CONTRADICTED),
        (0.5, 0.51, 2.0, INCONCLUSIVE),
        (0.5, 0.7, 0.3, INCONCLUSIVE),
    ],
)
def test_late_radius(start, end, tau, verdict):
    table = pd.DataFrame(
        {"tau": [-0.1, 0, tau], "below": [False, True, True], "test_error": 0.1, "radius_attack_q50": [9.0, start, end]}
    )
    found = judged_claim("late_generalization", generalization=table)
    assert found.verdict == verdict and math.isclose(found.value, end / start)


def test_late_radius_needs_the_assumption():
    table = pd.DataFrame({"tau": [0.0], "below": [False], "test_error": 0.1, "radius_attack_q50": [9.0]})
    assert judged_claim("late_generalization", generalization=table).verdict == INCONCLUSIVE
