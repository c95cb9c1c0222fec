"""Why a flow stopped, and which of the reasons are goals. Imports no torch."""

from __future__ import annotations

import enum


class StopReason(enum.StrEnum):
    """Why a flow ended."""

    TAU = "tau"  # τ reached its goal
    RISK = "log_inverse_risk"  # ln(1/ℒ) reached its goal
    STEPS = "steps"  # the number of steps reached its limit
    STEP_UNDERFLOW = "step_underflow"  # no step, however small, had a local error within the tolerance
    ALIGNMENT = "cos"  # cos reached its goal
    TAIL = "tail"  # the estimated remaining path fell below its goal
    PRECISION = "precision"  # rounding errors of the margins decide the softmin weights
    NOT_FINITE = "not_finite"  # weights or risk stopped being finite, or the gradient vanishes: all units are dead


GOALS = (StopReason.TAU, StopReason.RISK, StopReason.STEPS, StopReason.ALIGNMENT, StopReason.TAIL)  # may be asked for
