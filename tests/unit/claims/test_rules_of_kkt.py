"""Rules about KKT certificates: ε and δ go to zero; the set of examples with multipliers settles."""

import numpy as np
import pandas as pd
import pytest
from evidence import CONTRADICTED, INCONCLUSIVE, SUPPORTED, thresholds_of

from dirconv.claims import Evidence, judging
from dirconv.claims.rules import kkt, support


def landings(end):
    tau = 2 ** (np.arange(200) / 8) - 1
    return tau[tau <= end]


def table(end, epsilon=lambda tau: 0.3 / (1 + tau), delta=1e-5, weights=None):
    """δ is relative to ‖θ̃‖², of margins 1/8 and degree 3: ‖θ̃‖² = 4. weights: the multipliers at τ by example."""
    tau = landings(end)
    rows = [weights(t) if weights else {0: 1.0, 3: 2.0} for t in tau]
    return pd.DataFrame(
        {
            "snapshot": np.arange(len(tau)),
            "tau": tau,
            "epsilon": 2 * epsilon(tau),
            "epsilon_relative": epsilon(tau),
            "delta": 4 * delta,
            "margin": 0.125,
            "support": [len(row) for row in rows],
            "examples": [np.array(list(row)) for row in rows],
            "multipliers": [np.array(list(row.values())) for row in rows],
        }
    )


def judged(rule, claim, rows, degree=3):
    evidence = Evidence({"kkt": rows}, {"stop": "tau", "specification": {"degree": degree}})
    return judging.outcome(rule, [evidence], thresholds_of(claim))


@pytest.mark.parametrize(
    ("end", "options", "verdict"),
    [
        (20, {}, SUPPORTED),
        (4, {}, INCONCLUSIVE),  # too early
        (20, {"delta": 0.01}, INCONCLUSIVE),  # examples with multipliers are not tied
        (20, {"epsilon": lambda tau: 0.05 + 0 * tau}, INCONCLUSIVE),  # small, but it does not fall
        (20, {"epsilon": lambda tau: 0.4 + 0 * tau}, INCONCLUSIVE),  # too early
        (60, {"epsilon": lambda tau: 0.4 + 0 * tau}, CONTRADICTED),
        (60, {"epsilon": lambda tau: 0.4 / (1 + np.minimum(tau, 5)) ** 0.5}, INCONCLUSIVE),  # it fell: maybe a ridge
    ],
)
def test_epsilon_and_delta_go_to_zero(end, options, verdict):
    found = judged(kkt, "kkt", table(end, **options))
    assert found.verdict == verdict
    assert found.low <= found.value <= found.high


def test_certificates_count_from_where_every_example_is_classified():
    rows = table(20)
    unknown = rows.assign(epsilon=rows["epsilon"].where(rows["tau"] >= 3))
    assert judged(kkt, "kkt", unknown).verdict == SUPPORTED
    late = rows.assign(epsilon=rows["epsilon"].where(rows["tau"] >= 17))
    assert "grew by only" in judged(kkt, "kkt", late).reason
    never = rows.assign(epsilon=np.nan)
    for rule, claim in ((kkt, "kkt"), (support, "support_settles")):
        assert judged(rule, claim, never).verdict == INCONCLUSIVE
        assert "no degree" in judged(rule, claim, rows, degree=None).reason


def test_the_slackness_is_relative_to_the_points_norm():
    assert "is 0.002" in judged(kkt, "kkt", table(20, delta=0.002)).reason


def moving(t):
    """A set that changes by a third of its weight every third landing."""
    return {0: 1.0, 3: 1.0, 10 + int(4 * np.log2(1 + t)): 1.0}


@pytest.mark.parametrize(
    ("end", "weights", "verdict"),
    [
        (20, None, SUPPORTED),
        (4, None, INCONCLUSIVE),
        (20, lambda t: {0: 1.0, 3: 2.0, 5 + int(t): 0.02}, SUPPORTED),  # what hardly has weight does not count
        (20, lambda t: {0: 1.0, 3 if t > 1.5 else 4: 2.0}, SUPPORTED),  # what was more than a decade ago
        (20, lambda t: {0: 1.0, 3 if t > 4 else 4: 2.0}, INCONCLUSIVE),
        (20, moving, INCONCLUSIVE),
        (60, moving, CONTRADICTED),
    ],
)
def test_the_support_settles(end, weights, verdict):
    found = judged(support, "support_settles", table(end, weights=weights))
    assert found.verdict == verdict


def test_the_share_that_changed_is_by_weight():
    found = judged(support, "support_settles", table(20, weights=lambda t: {0: 3.0, 3 if t > 4 else 4: 1.0}))
    assert found.value == pytest.approx(0.25)
