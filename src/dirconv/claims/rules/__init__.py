"""Verdict rules, one module each: `RULE` says what the rule needs, `Thresholds` what it is judged by.

`judge(evidence, thresholds)` answers for one run and seed; a rule with `across` gets a list, all runs of one seed.
`dirconv.claims.judging` prepares the evidence. Rules share `_common` and `_convergence`.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Rule:
    """What a rule reads, names and asks for.

    ==========  ================================================================================================
    tables      tables of measures that it reads, the one that decides which folders are read first
    statistic   the statistic in words
    threshold   name of the threshold that is shown beside it
    judged      in plain sentences: when a claim is supported, when contradicted, when neither
    paired      needs a run at half the tolerance: only seeds followed at both tolerances are judged
    across      judges all runs of one seed together
    assumption  judged only where ℒ < ℓ(0) holds at the end and the run reached a goal, and only on what follows
                the first step with ℒ < ℓ(0); it then reads the table `path`
    degree      judged only for a network with a declared degree
    ==========  ================================================================================================
    """

    tables: tuple[str, ...]
    statistic: str
    threshold: str
    judged: str
    paired: bool = False
    across: bool = False
    assumption: bool = True
    degree: bool = False
