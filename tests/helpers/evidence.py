"""Tables of runs whose verdicts are known, and the verdicts of rules and claims on them."""

from pathlib import Path

import numpy as np
import pandas as pd

from dirconv.claims import Evidence, Verdict, judging, registry
from dirconv.options import parse

SUPPORTED, CONTRADICTED, INCONCLUSIVE = Verdict.SUPPORTED, Verdict.CONTRADICTED, Verdict.INCONCLUSIVE
REGISTRY = registry.load(Path(__file__).parents[2] / "config" / "claims.yaml")
CONVERGENCE = {"exponent": 1.0, "slow": 1.05, "remaining": 0.3, "tau": 1.0, "decades": 1.0}
CONVERGENCE |= {"slow_tau": 4.0, "slow_decades": 1.5}
ALIGNMENT = {"cos": 0.95, "floor": 0.1, "stalled": 0.995, "decay": 0.1, "tau": 1.0, "decades": 1.0}
ALIGNMENT |= {"slow_tau": 4.0, "slow_decades": 1.5}
SMOOTHED = {"fall": 0.001, "error_factor": 10.0}
RISK = {"growth_ratio": 1.0, "log_inverse_risk": 30.0, "rise": 2.0}


def taus(end, count=400, first=0.02):
    """0, and then log-spaced."""
    return np.concatenate([[0.0], end * np.geomspace(first, 1, count)])


def travelled(tau, exponent, speed=1.0):
    """∫ speed · τ^(−exponent) dτ from the first τ above zero."""
    t = np.maximum(tau, tau[1])
    if exponent == 1:
        return speed * np.log(t / t[0])
    return speed * (t ** (1 - exponent) - t[0] ** (1 - exponent)) / (1 - exponent)


def path(tau, exponent=3.0, speed=0.1, **columns):
    """A path whose tan ∠ = dζ/dτ = speed · τ^(−exponent); other columns replace what follows from that."""
    tan = speed * np.maximum(tau, tau[1]) ** -exponent
    table = {
        "tau": tau,
        "zeta": travelled(tau, exponent, speed),
        "tan": tan,
        "cos": 1 / np.sqrt(1 + tan**2),
        "ln_risk": -np.exp(2 * tau),
        "below": np.ones(len(tau), dtype=bool),
        "smoothed_margin": 1 + tau,
        "error": np.full(len(tau), 1e-6),
    }
    return pd.DataFrame({**table, **columns})


def example_margins(tau, columns):
    """A table of normalized margins: a row for each snapshot and example."""
    parts = [
        pd.DataFrame({"snapshot": s, "tau": tau[s], "example": np.arange(len(columns)), "by_norm": row})
        for s, row in enumerate(np.column_stack(columns))
    ]
    return pd.concat(parts, ignore_index=True)


def powers(kappa):
    """A path with ζ_∞ − ζ = (a − ã)^κ (κ = 0: ζ = −ln(a − ã)), a − ã = e^(−2τ), a = 1."""
    tau = np.linspace(0, 8, 400)
    rest = np.exp(-2 * tau)
    zeta = -np.log(rest) if kappa == 0 else (1 - rest**kappa) / kappa
    return pd.DataFrame({"tau": tau, "zeta": zeta, "smoothed_margin": 1 - rest, "below": True})


def stabilizing(rate, end=8.0, degree=2):
    """D = e^(−rate τ) and ln t = e^(degree τ), so that k = degree/rate."""
    tau = np.linspace(0, end, 81)
    to_end = np.exp(-rate * tau) - np.exp(-rate * end)
    return pd.DataFrame({"tau": tau, "to_end": to_end, "ln_time": np.exp(degree * tau), "step": np.arange(81)})


DEGREE = 6
RECORD = {"stop": "tau", "specification": {"degree": DEGREE, "seed": 0}}


def flow_table(shift=0.0, speed=1.0, margin=1.0, below=True):
    """tan ∠ = e^(−τ), so ζ = 1 − e^(−τ) and, with equality in the growth identity, ln ã = L/2 (1 − e^(−2τ))."""
    tau = np.linspace(0, 2, 401)
    tan = np.exp(-tau) + shift
    return pd.DataFrame(
        {
            "tau": tau,
            "zeta": speed * (1 - np.exp(-tau)),
            "tan": tan,
            "cos": 1 / np.hypot(1, tan),
            "landed": np.isclose(tau % 0.25, 0) & (tau > 0),
            "ln_risk": -np.exp(DEGREE * tau),
            "below": below,
            "smoothed_margin": np.exp(margin * DEGREE / 2 * (1 - np.exp(-2 * tau))),
        }
    )


def judged(rule, table, thresholds, stop="steps", degree=2, **tables):
    evidence = Evidence({"path": table, **tables}, {"specification": {"degree": degree}, "stop": stop})
    return judging.outcome(rule, [evidence], rule.Thresholds(**thresholds))


def thresholds_of(claim):
    entry = REGISTRY[claim]
    return parse(registry.rule(entry.rule).Thresholds, entry.thresholds, claim)


def judged_claim(claim, stop="tau", below=True, degree=2, path=None, **tables):
    """The outcome of a claim's rule at the registry's thresholds; without a path, one that goes nowhere to τ = 8."""
    rule = registry.rule(REGISTRY[claim].rule)
    tau = np.linspace(0, 8, 161)
    tables["path"] = pd.DataFrame({"tau": tau, "zeta": 0.0, "below": below}) if path is None else path
    record = {"stop": stop, "specification": {"degree": degree, "loss": "exponential"}}
    return judging.outcome(rule, [Evidence(tables, record)], thresholds_of(claim))


def verdict(claim, followed, spec):
    """The verdict of a claim on a small problem that was followed."""
    rule = registry.rule(REGISTRY[claim].rule)
    record = {"stop": followed.stop, "specification": {"degree": spec.degree, "loss": spec.loss}}
    return judging.outcome(rule, [Evidence(followed.tables, record)], thresholds_of(claim)).verdict
