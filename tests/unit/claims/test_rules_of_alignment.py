"""Rules about alignment: of the gradient, and of neighbouring layers."""

import numpy as np
import pandas as pd
import pytest
from evidence import ALIGNMENT, CONTRADICTED, INCONCLUSIVE, SUPPORTED, judged, judged_claim, path, taus

from dirconv.claims.rules import alignment


@pytest.mark.parametrize(
    ("exponent", "speed", "verdict"),
    [
        (1.5, 0.3, SUPPORTED),  # tan 0.04 at τ = 4
        (0.3, 0.3, SUPPORTED),  # tan 0.2 and decaying
        (0.0, 1.0, CONTRADICTED),  # cos 0.71 for ever
        (-0.5, 0.5, CONTRADICTED),  # the angle grows
        (1.0, 3.0, INCONCLUSIVE),  # tan 0.75, but it decays
        (-0.5, 0.01, INCONCLUSIVE),  # tan 0.02, but it grows
    ],
)
def test_alignment(exponent, speed, verdict):
    table = path(taus(4.0), exponent, speed)
    found = judged(alignment, table, ALIGNMENT)
    assert found.verdict == verdict
    late = table.loc[table["tau"] >= 3.6, "cos"]
    assert (found.value, found.low, found.high) == (late.median(), late.min(), late.max())


def test_one_late_misalignment_is_enough_against_support_and_none_is_for_contradiction():
    table = path(taus(4.0), 1.5, 0.3)
    late, early = table["cos"].copy(), table["cos"].copy()
    late.iloc[-3] = 0.5
    early[(table["tau"] > 1) & (table["tau"] < 3)] = 0.5
    assert judged(alignment, table.assign(cos=late), ALIGNMENT).verdict == INCONCLUSIVE
    assert judged(alignment, table.assign(cos=early), ALIGNMENT).verdict == SUPPORTED


# layers

TAU = np.linspace(0, 8, 33)


@pytest.mark.parametrize(
    ("ratio", "neighbour", "verdict"),
    [
        (np.exp(-TAU), np.exp(-TAU), SUPPORTED),
        (0.3 + 0 * TAU, np.exp(-TAU), CONTRADICTED),
        (np.exp(-TAU), 0.3 + 0 * TAU, CONTRADICTED),
        (np.exp(-0.3 * TAU), np.exp(-TAU), INCONCLUSIVE),
    ],
)
def test_rank_one(ratio, neighbour, verdict):
    layers = [
        pd.DataFrame({"snapshot": range(len(TAU)), "tau": TAU, "ratio": r, "neighbour": n})
        for r, n in ((ratio, neighbour), (1e-9, np.nan))
    ]
    assert judged_claim("deep_linear_rank_one", factors=pd.concat(layers)).verdict == verdict
