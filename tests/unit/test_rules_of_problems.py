"""The rules about small problems, on tables whose answer is known: each can support, contradict, and say nothing."""

import numpy as np
import pandas as pd
import pytest

from dirconv.claims import Evidence, Verdict, judging, registry
from dirconv.claims.desingularize import exponent
from dirconv.claims.fits import rate
from dirconv.options import parse

SUPPORTED, CONTRADICTED, INCONCLUSIVE = Verdict.SUPPORTED, Verdict.CONTRADICTED, Verdict.INCONCLUSIVE
REGISTRY = registry.load("config/claims.yaml")
TAU = np.linspace(0, 8, 33)


def judged(claim, stop="tau", below=True, degree=2, path=None, **tables):
    entry = REGISTRY[claim]
    rule = registry.rule(entry.rule)
    tables["path"] = pd.DataFrame({"tau": TAU, "zeta": 0.0, "below": below}) if path is None else path
    record = {"stop": stop, "specification": {"degree": degree, "loss": "exponential"}}
    return judging.outcome(rule, [Evidence(tables, record)], parse(rule.Thresholds, entry.thresholds, claim))


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
    assert judged("deep_linear_max_margin", limit=limit(gap, angle=angle)).verdict == verdict


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
    assert judged("squared_relu_max_margin", limit=limit(gap, ratio=ratio)).verdict == verdict


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
    assert judged("deep_linear_rank_one", factors=pd.concat(layers)).verdict == verdict


@pytest.mark.parametrize(
    ("turned", "far", "tau", "verdict"),
    [
        (0.1, 0.1, 4.0, SUPPORTED),
        (0.001, 0.1, 4.0, CONTRADICTED),
        (0.1, 0.001, 4.0, CONTRADICTED),
        (0.03, 0.1, 4.0, INCONCLUSIVE),
        (0.1, 0.1, 0.5, INCONCLUSIVE),
    ],
)
def test_surface(turned, far, tau, verdict):
    table = pd.DataFrame({"tau": [0.0, tau], "to_start": [0.0, turned], "to_kernel": [0.2, far]})
    assert judged("surface_keeps_changing", surfaces=table).verdict == verdict


def powers(kappa):
    """A path with ζ_∞ − ζ = (a − ã)^κ (κ = 0: ζ = −ln(a − ã)), a − ã = e^(−2τ), a = 1."""
    tau = np.linspace(0, 8, 400)
    rest = np.exp(-2 * tau)
    zeta = -np.log(rest) if kappa == 0 else (1 - rest**kappa) / kappa
    return pd.DataFrame({"tau": tau, "zeta": zeta, "smoothed_margin": 1 - rest, "below": True})


@pytest.mark.parametrize("kappa", [-0.4, 0.0, 0.25, 0.5, 1.0, 1.5])
def test_the_exponent_of_a_power_is_found_without_its_limit(kappa):
    path = powers(kappa)
    found = exponent(*(path[name].to_numpy() for name in ("tau", "zeta", "smoothed_margin")), 1.0)
    assert found.kappa == pytest.approx(kappa, abs=0.02)
    assert found.low <= kappa <= found.high


@pytest.mark.parametrize(
    ("kappa", "verdict"), [(0.5, SUPPORTED), (1.0, SUPPORTED), (0.0, CONTRADICTED), (-0.4, CONTRADICTED)]
)
def test_desingularized(kappa, verdict):
    assert judged("path_desingularized", path=powers(kappa)).verdict == verdict
    assert judged("path_desingularized", path=powers(kappa), degree=None).verdict == INCONCLUSIVE
    assert judged("path_desingularized", path=powers(kappa).query("tau < 0.5")).verdict == INCONCLUSIVE


def test_a_rate_is_found_above_rounding():
    for kappa in (0.5, 3.0):
        value, low, high = rate(TAU, np.exp(-kappa * TAU) + 1e-17)
        assert value == pytest.approx(kappa, rel=1e-3)
        assert low <= value <= high
    assert rate(TAU[:3], np.ones(3)) is None


@pytest.mark.parametrize("options", [{"below": False}, {"stop": "precision"}])
@pytest.mark.parametrize("claim", ["deep_linear_max_margin", "squared_relu_max_margin"])
def test_where_the_assumption_is_not_met_nothing_is_said(claim, options):
    table = limit(angle=np.exp(-2 * TAU), ratio=1.0)
    assert judged(claim, limit=table, **options).verdict == INCONCLUSIVE
