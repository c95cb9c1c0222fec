"""The verdict over seeds: one contradicts, all must support."""

import numpy as np
import pytest
from evidence import CONTRADICTED, INCONCLUSIVE, SUPPORTED

from dirconv.claims import Outcome, over_seeds


def outcomes(*verdicts):
    return [Outcome(v, float(i), i - 0.5, i + 0.5, f"seed {i}") for i, v in enumerate(verdicts)]


@pytest.mark.parametrize(
    ("verdicts", "whole", "reason"),
    [
        ([SUPPORTED, SUPPORTED, SUPPORTED], SUPPORTED, "seed 0"),
        ([SUPPORTED, INCONCLUSIVE, SUPPORTED], INCONCLUSIVE, "seed 1"),
        ([SUPPORTED, INCONCLUSIVE, CONTRADICTED], CONTRADICTED, "seed 2"),
        ([CONTRADICTED, SUPPORTED, SUPPORTED], CONTRADICTED, "seed 0"),
        ([INCONCLUSIVE], INCONCLUSIVE, "seed 0"),
    ],
)
def test_one_seed_contradicts_and_all_must_support(verdicts, whole, reason):
    found = over_seeds(outcomes(*verdicts))
    assert (found.verdict, found.reason) == (whole, reason)
    assert (found.value, found.low, found.high) == (np.median(range(len(verdicts))), -0.5, len(verdicts) - 0.5)


def test_the_verdict_over_seeds_leaves_out_what_is_not_known():
    found = over_seeds([Outcome(SUPPORTED, 2.0), Outcome(INCONCLUSIVE), Outcome(SUPPORTED, 4.0, 3.0, 9.0)])
    assert (found.verdict, found.value, found.low, found.high) == (INCONCLUSIVE, 3.0, 2.0, 9.0)
    assert over_seeds([Outcome(INCONCLUSIVE)]).value is None
