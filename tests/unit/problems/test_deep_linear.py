"""Products of layers: their limit is the maximum margin, at the rate that the support decides."""

import math

import numpy as np
import pytest
from evidence import REGISTRY, verdict

from dirconv.claims import Evidence, Verdict, judging, registry
from dirconv.options import parse, plugin
from dirconv.problems import deep_linear


def test_the_product_goes_to_the_maximum_margin_at_the_rate_that_the_support_decides(linear):
    from dirconv.claims.fits import rate

    spec, followed = linear
    for seed, one in zip((0, 1, 6), followed, strict=True):
        limit = one.tables["limit"]
        support = (plugin("oracles", "hard_margin", "oracle").solve(deep_linear.examples(spec, seed)).dual > 1e-9).sum()
        expected = spec.depth if support == spec.dimension else 1
        assert rate(limit["tau"].to_numpy(), limit["angle"].to_numpy())[0] == pytest.approx(expected, abs=0.1)
        assert 1 - limit["lower"].iloc[0] / limit["upper"].iloc[0] <= 1e-9
        assert verdict("deep_linear_rank_one", one, spec) == Verdict.SUPPORTED
        assert verdict("flow_decomposition", one, spec) == Verdict.SUPPORTED
        assert verdict("alignment_smooth", one, spec) == Verdict.SUPPORTED
        kappa = registry.rule("desingularized")
        thresholds = parse(kappa.Thresholds, REGISTRY["path_desingularized"].thresholds, "κ")
        record = {"stop": one.stop, "specification": {"degree": 3, "loss": "exponential"}}
        outcome = judging.outcome(kappa, [Evidence(one.tables, record)], thresholds)
        assert outcome.verdict == Verdict.SUPPORTED and outcome.value == pytest.approx(0.5, abs=0.02)
    assert verdict("deep_linear_max_margin", followed[0], spec) == Verdict.SUPPORTED


def test_a_polynomial_tail_goes_elsewhere():
    spec = deep_linear.Spec(depth=1, tau=9.0, loss="polynomial")
    (one,) = deep_linear.follow(spec, [0])
    assert verdict("control_polynomial_tail", one, spec) == Verdict.CONTRADICTED
    # where it goes: the minimum of Σ ⟨w, z_i⟩^(−k) on the sphere
    from scipy.optimize import minimize

    z = deep_linear.examples(spec, 0)
    svm = plugin("oracles", "hard_margin", "oracle").solve(z).predictor

    def objective(w):
        return np.log(((z @ w) ** -2.0).sum()) + 2 * np.log(np.linalg.norm(w)) if (z @ w > 0).all() else np.inf

    best = minimize(objective, svm, method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-14, "maxiter": 20_000})
    angle = one.tables["limit"]["angle"].iloc[-1]
    assert angle == pytest.approx(math.acos(best.x @ svm / np.linalg.norm(best.x)), abs=1e-4)
