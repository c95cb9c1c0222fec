"""Verdict rules, one module each: `RULE` says what the rule needs, `Thresholds` what it is judged by.

`judge(evidence, thresholds)` answers for one run and seed; a rule with `across` gets a list, all runs of one seed.
`dirconv.claims.judging` prepares the evidence. Rules about a limit share `_convergence`.
"""

import dataclasses
from typing import Literal

from dirconv.claims import Evidence


@dataclasses.dataclass(frozen=True)
class Rule:
    """What a rule reads, names and asks for."""

    tables: tuple[str, ...]  # of measures; the first decides which folders are read
    statistic: str  # in words
    symbol: str  # short for it, as it begins a sentence: P = 1.5
    threshold: str  # name of the threshold that is shown beside it
    relation: Literal["above", "at least", "at most", "below", "between"]  # of the whole interval, where supported
    finds: tuple[str, str]  # clauses: what the network does where the claim is supported, and where contradicted
    judged: str  # in plain sentences: when a claim is supported, when contradicted, when neither
    other: str = ""  # a threshold on the same scale: what lies beyond it contradicts; of `between` the upper end
    origin: float = 0.0  # of the statistic, from which the threshold counts
    beside: tuple[str, ...] = ()  # tables that it reads where a run has them: of measures, or of the run's probes
    paired: bool = False  # needs a run at half the tolerance: only seeds followed at both tolerances are judged
    across: bool = False  # judges all runs of one seed together
    # judged only where ℒ < ℓ(0) holds at the end and the run reached a goal, and only on what follows the first step
    # with ℒ < ℓ(0); the rule then reads the table `path`
    assumption: bool = True
    degree: bool = False  # judged only for a network with a declared degree


def uncertified(evidence: Evidence, largest_gap: float) -> str:
    """Why the optimum in the table `limit` is not known to this relative duality gap, or ''."""
    limit = evidence.tables["limit"]
    gap = float(1 - limit["lower"].iloc[-1] / limit["upper"].iloc[-1])
    return "" if gap <= largest_gap else f"the optimum is only known to a relative gap of {gap:.1g}"


def too_short(tau: float, needed: float) -> str:
    """Why a growth of ln‖W‖ by `tau` is too short for a statement about a limit, or ''."""
    if tau >= needed:
        return ""
    return f"ln‖W‖ grew by only {tau:.3g} after ℒ < ℓ(0); {needed:g} is needed to judge a limit in τ = ln‖W‖"
