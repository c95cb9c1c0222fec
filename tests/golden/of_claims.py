"""Golden runs of the rules, what they share, and their calibration: on made-up tables (tables.py)."""

from __future__ import annotations

import functools
import math
import re

import adapt
import numpy as np
import pandas as pd
import tables
from case import Numbers, golden
from tables import network_run, problem_run

CONVERGENCE = {"exponent": 1.0, "slow": 1.05, "remaining": 0.3, "tau": 1.0, "decades": 1.0}
CONVERGENCE |= {"slow_tau": 4.0, "slow_decades": 1.5}
ALIGNMENT = {"cos": 0.95, "floor": 0.1, "stalled": 0.995, "decay": 0.1, "tau": 1.0, "decades": 1.0}
ALIGNMENT |= {"slow_tau": 4.0, "slow_decades": 1.5}
KKT = {"epsilon": 0.1, "delta": 1e-3, "decay": 0.1, "tau": 1.0, "decades": 1.0, "slow_tau": 4.0, "slow_decades": 1.5}
ORDER = {"least": 0.75, "most": 1.25, "stable": 0.5, "tau": 0.1, "resolution": 1e-6}
KINDS = tuple(tables.SPEEDS)


def numbers_of(verdict: dict) -> Numbers:
    """A verdict's: the statistic and its interval, for all seeds and for each."""
    found: Numbers = {"verdict": str(verdict["verdict"])}
    for name, one in {"all": verdict["statistic"], **verdict["seeds"]}.items():
        if "verdict" in one:
            found[f"{name}: verdict"] = str(one["verdict"])
            # a statistic has one number, its reason may have others
            told = re.findall(r"\d+\.?\d*(?:e[+-]?\d+)?", one["reason"].replace("ℓ(0)", ""))
            found[f"{name}: told"] = [float(number) for number in told]
        for end in ("value", "low", "high"):
            found[f"{name}: {end}"] = math.nan if one[end] is None else one[end]
    return found


def judged(rule: str, thresholds: dict, build=network_run) -> Numbers:
    """A rule's verdicts on runs of every kind, two seeds of each."""
    runs = [build(kind, kind, seed) for kind in KINDS for seed in (0, 1)]
    return numbers_of(adapt.verdict(rule, thresholds, runs))


def separated_run(*words, **options):
    """As `network_run`, from a start with ℒ < ℓ(0)."""
    member, read, record = network_run(*words, **options)
    return member, {**read, "path": read["path"].assign(below=True)}, record


def slow_run(kind: str, run: str, seed: int):
    """As `problem_run`, but that of the open kind the losses' angles have fallen by a little less than half."""
    member, read, record = problem_run(kind, run, seed)
    if run == "open":
        away = 0.1 * np.exp(-0.2 * read["losses"]["tau"]) * (read["losses"]["loss"] != "exponential")
        read["losses"] = read["losses"].assign(function_angle=away, function_to_end=away)
    return member, read, record


# a rule, its thresholds, what it reads, and the parts that it goes through
FIT = ("tail_statistics",)
LIMIT = ("convergence", *FIT)
for rule, values, build, parts in (
    ("direction", CONVERGENCE, network_run, LIMIT),
    ("path_length", CONVERGENCE, network_run, LIMIT),
    ("margins", CONVERGENCE, network_run, LIMIT),
    ("saliency", CONVERGENCE, network_run, LIMIT),
    ("alignment", {**ALIGNMENT, "agreement": 0.01}, network_run, LIMIT),
    ("kkt", KKT, network_run, FIT),
    ("support", {"settled": 0.05, "changing": 0.1, "tau": 1.0, "decades": 0.5, "slow_tau": 4.0}, network_run, ()),
    ("lyu_li", {**CONVERGENCE, "violation": 0.05}, network_run, LIMIT),
    ("risk", {"growth_ratio": 1.0, "log_inverse_risk": 30.0, "rise": 2.0}, network_run, ()),
    ("smoothed_margin", {"fall": 1e-4, "error_factor": 1e4}, network_run, ()),
    ("identities", {"violation": 0.1, "broken": 1.0}, network_run, ()),
    ("decomposition", {"difference": 2e-9, "broken": 1e-3, "resolution": 1e-10}, separated_run, ()),
    ("desingularized", {"exponent": 0.05, "since": 0.5, "tau": 1.0}, network_run, ("desingularize", *FIT)),
    ("homogeneity", {"supported": 1e-6, "contradicted": 1e-3}, network_run, ()),
    ("late_radius", {"gain": 0.05, "tau": 1.0}, network_run, ()),
    ("chords", CONVERGENCE, problem_run, LIMIT),
    ("max_margin", {"angle": 1e-4, "rate": 0.02, "gap": 1e-9}, problem_run, ("fits", *FIT)),
    ("rank_one", {"ratio": 0.01, "neighbour": 0.01, "rate": 0.02}, problem_run, ("fits", *FIT)),
    ("margin_ratio", {"ratio": 0.99, "ahead": 2.0, "gap": 1e-8}, problem_run, ()),
    ("surface", {"turned": 0.05, "far": 0.05, "same": 0.01, "tau": 1.0}, problem_run, ()),
    ("step_order", ORDER, problem_run, ("fits",)),
    ("stabilization", {"exponent": 1.0, "near": 0.01, "far": 0.3, "tau": 2.0}, problem_run, ("fits",)),
    ("one_direction", {"same": 0.01, "apart": 0.02, "tau": 1.0}, slow_run, ()),
    ("start_to_limit", {"near": 0.1, "far": 0.3, "tau": 1.0}, problem_run, ()),
    ("classified", {"steps": 1000.0}, problem_run, ()),
):  # fmt: skip
    golden(f"rule.{rule}", "judging", *parts)(functools.partial(judged, rule, values, build))


@golden("rule.width_slope", "judging", "fits")
def of_width_slope() -> Numbers:
    """Over four widths of a seed; where one never arrives, nothing is said."""
    found: Numbers = {}
    for kind in KINDS:
        runs = [problem_run(f"width_{w}", kind, seed, width=w) for w in (4, 8, 16, 32) for seed in (0, 1)]
        if kind == "open":
            runs[0] = problem_run("width_4", "circles", 0, width=4)
        found |= {
            f"{kind}: {label}": value
            for label, value in numbers_of(adapt.verdict("width_slope", {"slope": 0.0}, runs)).items()
        }
    return found


@golden("rule.integration", "judging", "halving")
def of_integration() -> Numbers:
    """Runs and the same at half the tolerance; a seed without such a one is not judged."""
    found: Numbers = {}
    for angle in (1e-3, 0.01, 0.2):
        runs = [network_run("run", "converges", seed) for seed in (0, 1, 2)]
        runs += [network_run("half", "converges", seed, tolerance=0.025) for seed in (0, 1)]
        verdict = adapt.verdict("integration", {"angle": angle, "far": 2 * angle, "tau": 1.0}, runs, halved="half")
        found |= {f"{angle}: {label}": value for label, value in numbers_of(verdict).items()}
    return found


@golden("halving", "rule.alignment", "judging", "tail_statistics")
def of_halving() -> Numbers:
    """The velocity's cos at half the tolerance: where it moves, alignment is not judged."""
    found: Numbers = {}
    for name, allowed in {"enough": 0.1, "too much": 1e-3}.items():
        runs = [network_run("run", "converges", seed) for seed in (0, 1)]
        half = network_run("half", "converges", 0, tolerance=0.025)
        path = half[1]["path"]
        half[1]["path"] = path.assign(cos=path["cos"] - 0.004 * np.exp(-0.1 * path["tau"]))
        verdict = adapt.verdict("alignment", {**ALIGNMENT, "halving": allowed}, [*runs, half], halved="half")
        found |= {f"{name}: {label}": value for label, value in numbers_of(verdict).items()}
        found[f"{name}: moved"] = verdict["seeds"]["run/seed0"]["reason"]
    return found


@golden("judging", "rule.path_length", "tail_statistics")
def of_judging() -> Numbers:
    """What is said of runs that end too early, and of several seeds of different verdicts."""
    late = network_run("run", "converges", 0)
    unmet = {**late[1], "path": late[1]["path"].assign(below=False)}
    cases = {
        "as asked for": [late],
        "stopped on precision": [(late[0], late[1], {**late[2], "stop": "precision"})],
        "above l(0)": [(late[0], unmet, late[2])],
        "short": [(late[0], {**late[1], "path": late[1]["path"].query("tau < 0.8")}, late[2])],
        "mixed": [network_run("run", kind, seed) for seed, kind in enumerate(("converges", "open", "converges"))],
        "one against": [network_run("run", kind, seed) for seed, kind in enumerate(("converges", "open", "circles"))],
    }
    found: Numbers = {}
    for name, runs in cases.items():
        verdict = adapt.verdict("path_length", CONVERGENCE, runs)
        found |= {f"{name}: {label}": value for label, value in numbers_of(verdict).items()}
    return found


@golden("tail_statistics")
def of_tail_statistics() -> Numbers:
    found: Numbers = {}
    for kind in KINDS:
        for decades, limit in ((1.0, 6.0), (0.7, 2.0)):
            path = tables.path(kind, 1, 2, 0.05).query(f"tau <= {limit}")
            tau, zeta = path["tau"].to_numpy(), path["zeta"].to_numpy()
            fit = adapt.fields(adapt.decay(tau, zeta, decades))
            found |= {f"{kind}, {decades} decades: {label}": value for label, value in fit.items()}
            found[f"{kind}, {decades} decades: steepest"] = adapt.steepest(tau, zeta, decades)
            found[f"{kind}, {decades} decades: floor"] = adapt.largest_floor(tau, zeta, decades)
            found[f"{kind}, {decades} decades: fall"] = list(adapt.fall(tau, path["tan"].to_numpy(), decades))
    even = np.r_[0.0, np.geomspace(0.01, 6.0, 120)]
    for shift in (0.05, 1.0):  # (τ + τ₀)^(−1.4): one has settled, one has not
        fit = adapt.fields(adapt.decay(even, (shift**-0.4 - (even + shift) ** -0.4) / 0.4, 1.0))
        found |= {f"τ₀ = {shift}: {label}": value for label, value in fit.items()}
    middle, speed, intervals = adapt.secants(tau, zeta)
    found["secants: middles"], found["secants: speeds"] = middle.tolist(), speed.tolist()
    found["secants: intervals"] = [float(number) for number in intervals]
    return found


@golden("fits", "tail_statistics")
def of_fits() -> Numbers:
    x = np.linspace(0.2, 3, 9)
    found: Numbers = {f"line: {end}": v for end, v in adapt.fields(adapt.line(x, 2 - 0.7 * x + np.sin(5 * x))).items()}
    for name, values in {
        "steady": np.exp(-1.3 * x),
        "waving": np.exp(-0.4 * x) * (1 + 0.1 * np.sin(9 * x)),
        "rounding": np.exp(-11 * x),  # the last are below what counts
    }.items():
        found[f"rate, {name}"] = list(adapt.rate(x, values))
    return found


@golden("desingularize", "tail_statistics")
def of_desingularize() -> Numbers:
    """The intervals are grid points of κ."""
    found: Numbers = {}
    tau = np.linspace(0, 6, 200)
    rest = np.exp(-2 * tau)
    for kappa in (-0.3, 0.0, 0.5, 1.5):
        zeta = -np.log(rest) if kappa == 0 else (1 - rest**kappa) / kappa
        zeta = zeta + 0.01 * np.sin(3 * tau) * (1 - rest) * rest**0.5
        fit = adapt.fields(adapt.exponent(tau, np.maximum.accumulate(zeta), 1 - 0.5 * rest, 1.0))
        found |= {f"κ = {kappa}: {label}": value for label, value in fit.items()}
    return found


def calibrated(name: str) -> Numbers:
    """A set's trajectories, and the verdicts on one of twelve of them."""
    known = adapt.calibration().cases(name)
    chosen = {
        "direction_converges": adapt.thresholds("direction", CONVERGENCE),
        "alignment": adapt.thresholds("alignment", ALIGNMENT),
    }
    found: Numbers = {"cases": float(len(known))}
    rows = [adapt.calibration().verdicts(case.table, chosen) for case in known[::12]]
    for claim in chosen:
        words = [f"{case.family}: {row[claim]}" for case, row in zip(known[::12], rows, strict=True)]
        counts = pd.Series(words).value_counts().sort_index()
        found[f"{claim}: verdicts"] = [f"{word} {count}" for word, count in counts.items()]
        found[f"{claim}: truth"] = float(sum(case.truth[claim] for case in known))
    for column in ("tau", "zeta", "tan", "cos", "smoothed_margin", "chords"):
        found[column] = [float(case.table[column].mean()) for case in known[:: len(known) // 20]]
    found["ln ln 1/risk"] = [float(np.log(-case.table["risk_log"]).mean()) for case in known[:: len(known) // 20]]
    found["snapshots"] = [float(len(case.table)) for case in known[:: len(known) // 20]]
    return found


for name in ("tuning", "held_out", "mixed"):
    golden(f"calibration.{name}", "calibration", "rule.direction", "rule.alignment", "tail_statistics")(
        functools.partial(calibrated, name)
    )


@golden("calibration", "rule.direction", "rule.alignment", "tail_statistics")
def of_calibration() -> Numbers:
    """Trajectories from outside."""
    parts = []
    for kind in KINDS:
        path = tables.path(kind, 0, 2, 0.05)
        parts.append(path.assign(case=kind, risk_log=path["ln_risk"]))
    rows = adapt.judged_from_outside(pd.concat(parts), CONVERGENCE, ALIGNMENT)
    return {f"{row['case']}, {row['claim']}": str(row["verdict"]) for row in rows}
