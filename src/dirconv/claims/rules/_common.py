"""Reasons that several rules give for saying nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def uncertified(limit: pd.DataFrame, largest_gap: float) -> str:
    """Why the optimum in the table `limit` is not known to this relative duality gap, or ''."""
    gap = float(1 - limit["lower"].iloc[-1] / limit["upper"].iloc[-1])
    return "" if gap <= largest_gap else f"the optimum is only known to a relative gap of {gap:.1g}"


def too_short(tau: float, needed: float) -> str:
    """Why a growth of ln‖W‖ by `tau` is too short for a statement about a limit, or ''."""
    if tau >= needed:
        return ""
    return f"ln‖W‖ grew by only {tau:.3g} after ℒ < ℓ(0); {needed:g} is needed to judge a limit in τ = ln‖W‖"
