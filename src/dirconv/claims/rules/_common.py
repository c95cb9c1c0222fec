"""What the rules about the flow share: the theorems' assumption, and the part of the path it holds on."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from dirconv.claims import Evidence, Outcome, Verdict, inconclusive
from dirconv.claims.statistics import tail

REACHED = ("tau", "log_inverse_risk", "steps")  # stop reasons that a study asks for


def assumption(evidence: Evidence) -> str:
    """Why the theorems say nothing of this run, or '' if they do: ℒ < ℓ(0) must hold, and the run must be whole."""
    path = evidence.tables["path"]
    if not path["below"].iloc[-1]:
        return "the assumption ℒ < ℓ(0) is not met: the run ended before it"
    if evidence.record["stop"] not in REACHED:
        return f"the run did not reach its goal (it stopped on {evidence.record['stop']})"
    return ""


def from_assumption(evidence: Evidence) -> pd.DataFrame:
    """The path from the first step at which ℒ < ℓ(0), with τ and ζ counted from there."""
    path = evidence.tables["path"]
    path = path[path["below"].cummax()].copy()
    for column in ("tau", "zeta"):
        path[column] -= path[column].iloc[0]
    return path


def too_short(tau: float, needed: float) -> str:
    """Why a τ as short as this decides nothing, or ''."""
    if tau >= needed:
        return ""
    return f"ln‖W‖ grew by only {tau:.3g} after ℒ < ℓ(0); {needed:g} is needed to judge a limit in τ = ln‖W‖"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Convergence:
    """Thresholds of "what x has travelled stays finite".

    Supported: the interval of the decay exponent p of dx/dτ above `exponent` and the extrapolated rest of the way,
    at the interval's lower end, at most `remaining`. Contradicted: the interval below `exponent`. Neither before τ
    has grown by `tau`.
    """

    exponent: float  # 1 is where ∫τ^(−p) dτ stops converging
    remaining: float  # in x's units
    tau: float
    decades: float  # of τ, over which the exponent is fitted

    __pydantic_config__ = {"extra": "forbid", "strict": True}


def convergence(tau: np.ndarray, travelled: np.ndarray, end: float, thresholds: Convergence, unit: str) -> Outcome:
    """Verdict on whether x, having `travelled` so far at each τ, converges; `end` is the τ that the run reached."""
    found = tail(tau, travelled, thresholds.decades)
    if found is None:
        return inconclusive("too few points in τ for a decay exponent")
    interval = (found.exponent, found.low, found.high)
    short = too_short(end, thresholds.tau)
    if short:
        return inconclusive(short, *interval)
    rest = found.remaining(found.low)
    if found.low > thresholds.exponent and rest <= thresholds.remaining:
        return Outcome(Verdict.SUPPORTED, *interval, f"at most {rest:.3g} {unit} remain to be travelled")
    if found.high < thresholds.exponent:
        return Outcome(Verdict.CONTRADICTED, *interval, "the speed decays too slowly for a finite way")
    return inconclusive(f"the interval decides nothing yet, or too much remains ({rest:.3g} {unit})", *interval)
