"""Claims: a statement, the evidence that would contradict it, and a verdict. Tables in, verdict out; no torch anywhere.

config/claims.yaml is the registry. An entry names a rule (a module of `dirconv.claims.rules`), its thresholds, which
are fixed before a run, the runs it reads and the expected verdict. `dirconv.claims.judging` applies the rule.
"""

from __future__ import annotations

import dataclasses
import enum
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


class Verdict(enum.StrEnum):
    """What the runs show of a claim."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    INCONCLUSIVE = "inconclusive"


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What a rule reads of one run and seed."""

    tables: dict[str, pd.DataFrame]  # by the names in the rule's `RULE.tables`
    record: dict[str, Any]  # the measures' manifest: specification, stop reason, …
    pairs: tuple[tuple[Evidence, Evidence], ...] = ()  # a run and the same at half the tolerance, tables uncut


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A rule's answer for one run and seed, or for all runs of one seed."""

    verdict: Verdict
    value: float | None = None  # of the rule's statistic
    low: float | None = None  # its 95 % interval, where it has one
    high: float | None = None
    reason: str = ""
    unmet: str = ""  # where inconclusive: what would have to hold and does not, if the reason does not say it


def inconclusive(reason: str, *interval: float, unmet: str = "") -> Outcome:
    """An outcome that decides nothing, and why. interval: value, low and high, or less of them."""
    return Outcome(Verdict.INCONCLUSIVE, *interval, reason=reason, unmet=unmet)


def decided(
    supported: bool, contradicted: bool, reason: str, *interval: float, unless: str = "", unmet: str = ""
) -> Outcome:
    """Supported or, failing that, contradicted or, failing that, inconclusive; inconclusive for the reason `unless`."""
    if unless:
        return inconclusive(unless, *interval)
    if not supported and not contradicted:
        return inconclusive(reason, *interval, unmet=unmet)
    return Outcome(Verdict.SUPPORTED if supported else Verdict.CONTRADICTED, *interval, reason=reason)


def failing(clauses: dict[str, bool]) -> str:
    """Those of the clauses that do not hold."""
    return "; ".join(clause for clause, holds in clauses.items() if not holds)


def over_seeds(outcomes: list[Outcome]) -> Outcome:
    """The verdict over seeds: one seed is enough to contradict, all must support.

    The value is the median over seeds. The interval is the union of the seeds' intervals and all that lies between.
    """
    by_weight = (Verdict.CONTRADICTED, Verdict.INCONCLUSIVE, Verdict.SUPPORTED)
    deciding = min(outcomes, key=lambda outcome: by_weight.index(outcome.verdict))

    def over(choose, values):
        known = [v for v in values if v is not None]
        return float(choose(known)) if known else None

    return Outcome(
        deciding.verdict,
        over(median, [o.value for o in outcomes]),
        over(min, [o.value if o.low is None else o.low for o in outcomes]),
        over(max, [o.value if o.high is None else o.high for o in outcomes]),
        deciding.reason,
        deciding.unmet,
    )
