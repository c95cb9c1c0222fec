r"""How far can the verdicts be trusted? The rules on trajectories whose answer is known.

A case is a speed tan ∠ as a function of τ, of which it is known whether it is integrable (the direction converges)
and whether it vanishes (the gradient aligns with the weights). The rules see what a run would have recorded of it, with
few or many snapshots and with noise. They were tuned on the families of `tuning` and are reported on those of
`held_out`, which have other forms and other noise. `mixed` says how often nothing is decided on runs to τ ≥ 20. Half of
the cases of every set converge.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dirconv.claims import Evidence, Verdict, judging, registry
from dirconv.errors import UserError
from dirconv.options import parse, plugin

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

NUMERICS = 2
CLAIMS = {"direction_converges": "direction", "alignment": "alignment"}  # and the rules that judge them
COLUMNS = ("case", "tau", "zeta", "tan", "cos", "smoothed_margin", "risk_log")
CHORDS = "chords"  # a column that may be there: the length by chords up to each snapshot, else ζ is taken for it
OUTCOMES = ("wrong_supported", "wrong_contradicted", "inconclusive")
SETS = ("tuning", "held_out", "mixed")  # a case's random numbers depend on the place in this order
READ = ("tau", "zeta", "tan", "cos")  # columns that the rules need in every row
SPECIFICATION = {"rules": sorted(CLAIMS.values()), "sets": list(SETS)}  # what scores depend on
PER_FAMILY = 60  # cases


@dataclasses.dataclass(frozen=True)
class Speed:
    """tan ∠ as a function of τ, arrays of one shape, observed up to τ = `end`."""

    at: Callable[[np.ndarray], np.ndarray]
    end: float
    chatter: float = 0.0  # added to the recorded speed by steps that jump to and fro, and get nowhere
    jump: float = 0.0  # by which the ends of a chord are then off, across it, in rad
    landed: bool = False  # observed where a method lands, else where chance has it


@dataclasses.dataclass(frozen=True)
class Family:
    """Speeds of one form."""

    draw: Callable[[np.random.Generator], Speed]
    converges: bool
    aligns: bool
    cases: int = PER_FAMILY


def between(random: np.random.Generator, low: float, high: float) -> float:
    """A random number from `low` to `high` whose logarithm is uniform."""
    return math.exp(random.uniform(math.log(low), math.log(high)))


@dataclasses.dataclass(frozen=True)
class Case:
    """A trajectory and the truth about it."""

    family: str
    table: pd.DataFrame  # a row a snapshot, with COLUMNS except `case`
    truth: dict[str, bool]  # by claim


def observed(random: np.random.Generator, speed: Speed, noise: Callable[[int], np.ndarray]) -> pd.DataFrame:
    """What a run would have recorded: 8 to 400 snapshots, even in ln τ, τ or √τ; tan, ζ and chords with `noise`.

    Or those that a method lands on, τ = 2^(k/8) − 1, and the end. ζ is the integral of tan, and noise lengthens the
    path as the chatter of steps does. The smoothed margin follows d ln ã/dτ = L tan² ∠ without noise, up to a bound;
    from it follows the risk, ln(1/ℒ) = 5 ã ‖W‖^L (exponential loss).
    """
    import pandas as pd

    if speed.landed:
        tau = 2 ** (np.arange(8 * math.log2(1 + speed.end)) / 8) - 1
        tau, count = np.append(tau[tau < speed.end], speed.end), len(tau) + 1
    else:
        count = round(math.exp(random.uniform(math.log(8), math.log(400))))
        power = random.choice([0.0, 1.0, 2.0])  # snapshots even in ln τ, in τ, in √τ
        share = np.linspace(0, 1, count)
        tau = speed.end * (share**power if power else np.concatenate([[0.0], np.geomspace(1e-3, 1, count - 1)]))
    fine = tau[:-1, None] + np.diff(tau)[:, None] * (np.arange(64) + 0.5) / 64  # midpoint rule between snapshots
    true = speed.at(fine).mean(1) * np.diff(tau)
    lengths = true + speed.chatter * np.diff(tau)
    factors = noise(len(tau))
    chords = np.hypot(true * factors[1:], speed.jump)
    tan = (speed.at(tau) + speed.chatter) * factors
    zeta = np.concatenate([[0.0], np.cumsum(lengths * factors[1:])])
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
            CHORDS: np.concatenate([[0.0], np.cumsum(chords)]),
        }
    )


def cases(name: str, seed: int = 0) -> list[Case]:
    """All cases of the set `name`."""
    module = plugin("claims.calibration", name, "set")
    drawn = []
    for number, (form, family) in enumerate(module.FAMILIES.items()):
        for index in range(family.cases):
            random = np.random.default_rng((seed, SETS.index(name), number, index))
            speed = family.draw(random)
            table = observed(random, speed, functools.partial(module.noise, random))
            truth = {"direction_converges": family.converges, "alignment": family.aligns}
            drawn.append(Case(form, table, truth))
    return drawn


def thresholds(claims: dict[str, registry.Claim]) -> dict[str, Any]:
    """Thresholds by claim of CLAIMS: those of the registry's entry with that rule that has most of them, if any.

    There is no run at half the tolerance here, so `halving` is left out.
    """
    chosen = {}
    for name, rule in CLAIMS.items():
        values = max((claim.thresholds for claim in claims.values() if claim.rule == rule), key=len, default=None)
        if values is not None:
            unpaired = {key: value for key, value in values.items() if key != "halving"}
            chosen[name] = parse(registry.rule(rule).Thresholds, unpaired, f"{rule}.thresholds")
    return chosen


def verdicts(table: pd.DataFrame, chosen: dict[str, Any]) -> dict[str, Verdict]:
    """Each claim's verdict on one trajectory of the exponential loss (for which ℓ(0) = 1)."""
    import pandas as pd

    path = table[list(READ)].assign(below=table["risk_log"] < 0)
    tau, length = path["tau"].to_numpy(), table[CHORDS if CHORDS in table else "zeta"].to_numpy()
    with np.errstate(invalid="ignore", divide="ignore"):
        speed = np.append(np.nan, np.diff(length) / np.diff(tau))
    chords = pd.DataFrame({"snapshot": np.arange(len(tau)), "tau": tau, "zeta": length, "speed": speed})
    run = [Evidence({"path": path, "chords": chords}, {"stop": "tau"})]
    return {name: judging.outcome(registry.rule(CLAIMS[name]), run, values).verdict for name, values in chosen.items()}


def score(name: str, chosen: dict[str, Any], seed: int = 0) -> list[dict[str, Any]]:
    """Scores on the set `name`: a row for each claim and family, and one for all families.

    A row counts cases, verdicts that are wrong in either way, and inconclusive ones.
    """
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for case in cases(name, seed):
        for claim, verdict in verdicts(case.table, chosen).items():
            for family in (case.family, "all"):
                row = counts.setdefault((claim, family), dict.fromkeys(("cases", *OUTCOMES), 0))
                row["cases"] += 1
                row["inconclusive"] += verdict == Verdict.INCONCLUSIVE
                row["wrong_supported"] += verdict == Verdict.SUPPORTED and not case.truth[claim]
                row["wrong_contradicted"] += verdict == Verdict.CONTRADICTED and case.truth[claim]
    return [{"claim": claim, "family": family, **row} for (claim, family), row in sorted(counts.items())]


def load(path: Path) -> pd.DataFrame:
    """Trajectories from a Parquet file with COLUMNS; UserError in one line that says what is wrong with it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path).to_pandas(ignore_metadata=True)  # an index is a column like any other
    except (OSError, pa.ArrowException) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path}: not a readable Parquet file ({why})") from error
    missing = [column for column in COLUMNS if column not in table]
    if missing:
        raise UserError(f"{path}: column {missing[0]!r} is missing; expected {', '.join(COLUMNS)}")
    if table.empty:
        raise UserError(f"{path}: no rows; expected one for each snapshot of each case")
    for column in COLUMNS[1:]:
        try:
            table[column] = table[column].astype(float)
        except (TypeError, ValueError) as error:
            raise UserError(f"{path}: column {column!r} must hold numbers, holds {table[column].dtype}") from error
    if table["case"].isna().any():
        raise UserError(f"{path}: column 'case' has missing values; every row belongs to a case")
    return table.assign(case=table["case"].map(_plain))


def _plain(case: Any) -> str | int | float:
    """A case's name as JSON can hold it."""
    case = case.item() if isinstance(case, np.generic) else case
    if isinstance(case, bytes):
        return case.decode(errors="replace")
    return case if isinstance(case, str | int | float) else str(case)


def judge(table: pd.DataFrame, chosen: dict[str, Any]) -> list[dict[str, Any]]:
    """Verdicts on trajectories from outside, case by case in the order of the file.

    Rows in which a column that the rules need is not a number are left out. Snapshots are taken in the order of the
    file if τ or ζ rises in it, else in the order of τ.
    """
    judged = []
    for case, rows in table.groupby("case", sort=False, observed=True):
        kept = rows[np.isfinite(rows[list(READ)]).all(axis=1) & rows["risk_log"].notna()]
        if not (kept["tau"].is_monotonic_increasing or kept["zeta"].is_monotonic_increasing):
            kept = kept.sort_values("tau", kind="stable")
        kept = kept.reset_index(drop=True)
        by_claim = verdicts(kept, chosen) if len(kept) else dict.fromkeys(chosen, Verdict.INCONCLUSIVE)
        judged += [{"case": case, "claim": claim, "verdict": str(verdict)} for claim, verdict in by_claim.items()]
    return judged
