"""Rules about the flow decide only where a run reached its goal, met the assumption, and is long enough."""

import numpy as np
import pandas as pd
import pytest
from evidence import (
    ALIGNMENT,
    CONTRADICTED,
    CONVERGENCE,
    INCONCLUSIVE,
    RISK,
    SMOOTHED,
    SUPPORTED,
    example_margins,
    judged,
    path,
    taus,
)

from dirconv.claims.rules import alignment, margins, path_length, risk, smoothed_margin

ON_THE_FLOW = [
    pytest.param(path_length, CONVERGENCE, id="path_length"),
    pytest.param(alignment, ALIGNMENT, id="alignment"),
    pytest.param(smoothed_margin, SMOOTHED, id="smoothed_margin"),
    pytest.param(risk, RISK, id="risk"),
    pytest.param(margins, CONVERGENCE, id="margins"),
]


def good(rule):
    """Tables that the rule finds its claim supported by."""
    tau = taus(4.0)
    table = path(tau, ln_risk=-np.exp(2.02 * tau))
    return {"path": table, "margins": example_margins(tau, [1 - 0.1 * np.exp(-2 * tau), 2 + 0 * tau])}


@pytest.mark.parametrize(("rule", "thresholds"), ON_THE_FLOW)
@pytest.mark.parametrize("stop", ["tau", "log_inverse_risk", "steps", "cos", "tail"])
def test_a_run_that_reached_its_goal_can_support(rule, thresholds, stop):
    tables = good(rule)
    assert judged(rule, tables.pop("path"), thresholds, stop, **tables).verdict == SUPPORTED


@pytest.mark.parametrize(("rule", "thresholds"), ON_THE_FLOW)
@pytest.mark.parametrize("stop", ["step_underflow", "not_finite", "precision", "None"])
def test_a_run_that_did_not_reach_its_goal_decides_nothing(rule, thresholds, stop):
    tables = good(rule)
    found = judged(rule, tables.pop("path"), thresholds, stop, **tables)
    assert found.verdict == INCONCLUSIVE
    assert stop in found.reason


@pytest.mark.parametrize(("rule", "thresholds"), ON_THE_FLOW)
def test_a_run_whose_assumption_is_not_met_decides_nothing(rule, thresholds):
    tables = good(rule)
    table = tables.pop("path").assign(below=False)
    found = judged(rule, table, thresholds, **tables)
    assert found.verdict == INCONCLUSIVE
    assert "assumption" in found.reason


@pytest.mark.parametrize(("rule", "thresholds"), ON_THE_FLOW)
def test_what_happens_before_the_assumption_holds_does_not_count(rule, thresholds):
    """Rows with ℒ ≥ ℓ(0), on which everything that a claim denies happens, put in front."""
    tables = good(rule)
    after = tables.pop("path")
    tau = np.linspace(0, 3, 50)
    before = path(tau, below=False, zeta=5 * tau, cos=0.1, tan=10.0, ln_risk=5 + 0 * tau, smoothed_margin=9 - 2 * tau)
    shifted = after.assign(tau=after["tau"] + 3, zeta=after["zeta"] + 15)
    rows = tables["margins"].assign(tau=lambda t: t["tau"] + 3, snapshot=lambda t: t["snapshot"] + 50)
    early = example_margins(tau, [3 * np.sin(20 * tau), -np.cos(30 * tau)])
    both = pd.concat([before, shifted], ignore_index=True)
    found = judged(rule, both, thresholds, margins=pd.concat([early, rows], ignore_index=True))
    expected = judged(rule, after, thresholds, **tables)
    assert found.verdict == expected.verdict == SUPPORTED
    assert found.value == pytest.approx(expected.value, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("rule", [path_length, alignment, margins])
def test_a_short_tau_decides_nothing_even_where_the_whole_is_long(rule):
    thresholds = ALIGNMENT if rule is alignment else CONVERGENCE
    tau = taus(0.9)
    late = {"path": path(tau, speed=1e-3), "margins": example_margins(tau, [1 - 1e-3 * np.exp(-20 * tau), 2 + 0 * tau])}
    found = judged(rule, late["path"], thresholds, margins=late["margins"])
    assert found.verdict == INCONCLUSIVE
    assert "grew by only 0.9" in found.reason
    before = path(np.linspace(0, 3, 50), below=False, zeta=0.0)
    both = pd.concat([before, late["path"].assign(tau=tau + 3)], ignore_index=True)
    rows = late["margins"].assign(tau=lambda t: t["tau"] + 3)
    again = judged(rule, both, thresholds, margins=rows)
    assert (again.verdict, again.reason) == (found.verdict, found.reason)
    assert again.value == pytest.approx(found.value, rel=1e-9)


@pytest.mark.parametrize(("rule", "thresholds"), ON_THE_FLOW)
def test_all_that_follows_the_first_step_below_counts(rule, thresholds):
    """A step that takes the risk back over ℓ(0) is part of the path."""
    tables = good(rule)
    table = tables.pop("path")
    back = table.assign(below=table.index % 50 != 20)
    assert judged(rule, back, thresholds, **tables) == judged(rule, table, thresholds, **tables)
    if rule is smoothed_margin:
        fallen = back.assign(smoothed_margin=back["smoothed_margin"].where(back["below"], 0.5))
        assert judged(rule, fallen, thresholds).verdict == CONTRADICTED


@pytest.mark.parametrize("rule", [path_length, alignment])
def test_too_few_steps_decide_nothing(rule):
    tau = np.array([0.0, 2.0, 3.0, 4.0])
    found = judged(rule, path(tau), ALIGNMENT if rule is alignment else CONVERGENCE)
    assert found.verdict == INCONCLUSIVE
    assert "too few" in found.reason
