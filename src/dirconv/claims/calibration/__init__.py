r"""How far can the verdicts be trusted? The rules on trajectories whose answer is known.

A case is a speed tan ∠ as a function of τ, of which it is known whether it is integrable (the direction converges)
and whether it vanishes (the gradient aligns with the weights); what a run would have recorded of it, with few or many
snapshots and with noise, is what the rules see. The rules were tuned on the families of `tuning` and are reported on
those of `held_out`, which have other forms, other noise and other ranges. Half of the cases of either set converge.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dirconv.claims import Evidence, Verdict, registry
from dirconv.errors import UserError
from dirconv.options import parse

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

CLAIMS = {"direction_converges": "direction", "alignment": "alignment"}  # and the rules that judge them
COLUMNS = ("case", "tau", "zeta", "tan", "cos", "smoothed_margin", "risk_log")
OUTCOMES = ("wrong_supported", "wrong_contradicted", "inconclusive")
SETS = ("tuning", "held_out")
PER_FAMILY = 60  # cases; twice as many where a family has no counterpart among those that converge


@dataclasses.dataclass(frozen=True)
class Case:
    """A trajectory and the truth about it."""

    family: str
    table: pd.DataFrame  # COLUMNS but the first
    truth: dict[str, bool]  # by claim


@dataclasses.dataclass(frozen=True)
class Speed:
    """tan ∠ as a function of τ (arrays), up to an observed `end`."""

    at: Callable[[np.ndarray], np.ndarray]
    end: float


def observed(random: np.random.Generator, speed: Speed, noise: Callable[[int], np.ndarray]) -> pd.DataFrame:
    """What a run would have recorded: snapshots at random spacings, tan and ζ with the noise's factors.

    ζ is the integral of tan, whose noise moves the path like the chatter of steps does. The smoothed margin follows
    d ln ã/dτ = L tan² ∠ and the risk from it: ln(1/ℒ) = ã ‖W‖^L with the exponential loss.
    """
    import pandas as pd

    count = round(math.exp(random.uniform(math.log(8), math.log(400))))
    power = random.choice([0.0, 1.0, 2.0])  # snapshots even in ln τ, in τ, in √τ
    even = np.linspace(0, 1, count)
    tau = speed.end * (even**power if power else np.concatenate([[0.0], np.geomspace(1e-3, 1, count - 1)]))
    fine = tau[:-1, None] + np.diff(tau)[:, None] * (np.arange(64) + 0.5) / 64  # midpoint rule between snapshots
    moved = speed.at(fine).mean(1) * np.diff(tau)
    factors = noise(count)
    tan = speed.at(tau) * factors
    zeta = np.concatenate([[0.0], np.cumsum(moved * factors[1:])])
    degree = int(random.integers(1, 7))
    rise = np.concatenate([[0.0], np.cumsum((speed.at(fine) ** 2).mean(1) * np.diff(tau))])
    log_margin = degree * np.minimum(rise, 1.0)  # bounded on the sphere
    log_ratio = np.minimum(log_margin + degree * tau, 690.0)
    return pd.DataFrame(
        {
            "tau": tau,
            "zeta": zeta,
            "tan": tan,
            "cos": 1 / np.hypot(1, tan),
            "smoothed_margin": np.exp(log_margin),
            "risk_log": -5 * np.exp(log_ratio),
        }
    )


def cases(which: str, seed: int = 0) -> list[Case]:
    """All cases of a set."""
    from dirconv.options import member

    module = member("claims.calibration", which, "set")
    found = []
    for number, (name, family) in enumerate(module.FAMILIES.items()):
        for index in range(family.cases):
            random = np.random.default_rng((seed, SETS.index(which), number, index))
            speed = family.draw(random)
            table = observed(random, speed, lambda count, random=random: module.noise(random, count))
            truth = {"direction_converges": family.converges, "alignment": family.aligns}
            found.append(Case(name, table, truth))
    return found


@dataclasses.dataclass(frozen=True)
class Family:
    """Speeds of one form."""

    draw: Callable[[np.random.Generator], Speed]
    converges: bool
    aligns: bool
    cases: int = PER_FAMILY


def thresholds(claims: dict[str, registry.Claim]) -> dict[str, Any]:
    """What each of CLAIMS is judged with: the thresholds of the registry's first entry with that rule, if it has one.

    There is no run at half the tolerance here, so none is asked for.
    """
    found = {}
    for name, rule in CLAIMS.items():
        values = next((claim.thresholds for claim in claims.values() if claim.rule == rule), None)
        if values is not None:
            alone = {key: value for key, value in values.items() if key != "halving"}
            found[name] = parse(registry.rule(rule).Thresholds, alone, f"{rule}.thresholds")
    return found


def verdicts(table: pd.DataFrame, chosen: dict[str, Any]) -> dict[str, Verdict]:
    """Each claim's verdict on one trajectory of the exponential loss (for which ℓ(0) = 1)."""
    path = table.rename(columns={"risk_log": "ln_risk"}).assign(below=table["risk_log"] < 0)
    evidence = Evidence({"path": path}, {"stop": "tau"})
    return {name: registry.rule(CLAIMS[name]).judge(evidence, values).verdict for name, values in chosen.items()}


def score(which: str, chosen: dict[str, Any], seed: int = 0) -> list[dict[str, Any]]:
    """A row for each claim and family, and one for all: cases, wrong verdicts of either kind, undecided."""
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for case in cases(which, seed):
        for claim, verdict in verdicts(case.table, chosen).items():
            for family in (case.family, "all"):
                row = counts.setdefault((claim, family), dict.fromkeys(("cases", *OUTCOMES), 0))
                row["cases"] += 1
                row["inconclusive"] += verdict == Verdict.INCONCLUSIVE
                row["wrong_supported"] += verdict == Verdict.SUPPORTED and not case.truth[claim]
                row["wrong_contradicted"] += verdict == Verdict.CONTRADICTED and case.truth[claim]
    return [{"claim": claim, "family": family, **row} for (claim, family), row in sorted(counts.items())]


def load(path: Path) -> pd.DataFrame:
    """Trajectories from outside, checked: see COLUMNS. UserError in one line where they are not as they must be."""
    import pandas as pd

    try:
        table = pd.read_parquet(path)
    except Exception as error:  # pyarrow's own, of many kinds
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path}: not a readable Parquet file ({why})") from error
    missing = [column for column in COLUMNS if column not in table]
    if missing:
        raise UserError(f"{path}: column {missing[0]!r} is missing; expected {', '.join(COLUMNS)}")
    for column in COLUMNS[1:]:
        if not pd.api.types.is_numeric_dtype(table[column]):
            raise UserError(f"{path}: column {column!r} must hold numbers, holds {table[column].dtype}")
    if table["case"].isna().any():
        raise UserError(f"{path}: column 'case' has missing values; every row belongs to a case")
    if table.empty:
        raise UserError(f"{path}: no rows; expected one for each snapshot of each case")
    return table


def judge(table: pd.DataFrame, chosen: dict[str, Any]) -> list[dict[str, Any]]:
    """Verdicts on trajectories from outside, in the order in which their cases come."""
    found = []
    for case, rows in table.groupby("case", sort=False):
        finite = rows[np.isfinite(rows[list(COLUMNS[1:-1])]).all(axis=1) & rows["risk_log"].notna()]
        ordered = finite.sort_values("tau", kind="stable").reset_index(drop=True)
        each = verdicts(ordered, chosen) if len(ordered) else dict.fromkeys(chosen, Verdict.INCONCLUSIVE)
        plain = case.item() if isinstance(case, np.generic) else case
        found += [{"case": plain, "claim": claim, "verdict": str(verdict)} for claim, verdict in each.items()]
    return found
