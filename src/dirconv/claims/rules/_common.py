"""What the rules about the flow share: the theorems' assumption, and the part of the path it holds on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dirconv.claims import Evidence

if TYPE_CHECKING:
    import pandas as pd

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
    path = path.iloc[int(path["below"].to_numpy().argmax()) :]
    return path.assign(**{column: path[column] - path[column].iloc[0] for column in ("tau", "zeta")})


def uncertified(limit: pd.DataFrame, gap: float) -> str:
    """Why the optimum that a table `limit` holds its rows against is not known to a relative duality `gap`, or ''."""
    found = float(1 - limit["lower"].iloc[-1] / limit["upper"].iloc[-1])
    return "" if found <= gap else f"the optimum is only known to a relative gap of {found:.1g}"


def too_short(tau: float, needed: float) -> str:
    """Why a τ as short as this decides nothing, or ''."""
    if tau >= needed:
        return ""
    return f"ln‖W‖ grew by only {tau:.3g} after ℒ < ℓ(0); {needed:g} is needed to judge a limit in τ = ln‖W‖"
