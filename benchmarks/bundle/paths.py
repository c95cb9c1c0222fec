"""AlexNet with ReLU and max pooling: how exactly, how far, in how much memory. A part is a function of this module."""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.bundle import common
from dirconv.geometry import angle
from dirconv.goals import Stop
from dirconv.margins.network import NetworkMap

LADDER = (0.08, 0.04, 0.02, 0.01, 0.005)  # tolerances of `bundle`
FINEST = 0.0025  # its reference
OLD = (0.05, 0.0125)  # tolerances of `proximal`
OLD_FINEST = 0.003  # its reference, which takes minutes
ASKED = 0.003  # rad
NEAR, SPAN = 14, 7  # landings: from τ = 2.364 by a further 0.834
AT = 2.0  # τ next to which two tolerances are compared
REACH, LARGE = 420.0, 900.0  # seconds
MEMORY = 120.0


def accuracy(options: argparse.Namespace) -> dict[str, Any]:
    """n = 200: distance from the finest against seconds, for both methods, from one point near τ = 2.5 to near 3.3."""
    n, span = common.examples(options, 200), common.landing(2 if options.quick else SPAN)
    margin_map, start = common.started(options, common.RELU, n)
    tau = common.landing(4 if options.quick else NEAR)

    def lead() -> dict[str, Any]:
        run = common.followed(margin_map, common.spec_of("bundle", 0.02), start, Stop(tau=tau, steps=10**6))
        return {"weights": run.weights, "tau": run.end["tau"]}

    here = common.kept(options, f"accuracy-from-{n}-{options.seed}", lead)
    ladder, finest, old = LADDER, FINEST, OLD
    if options.quick:
        ladder, finest, old = LADDER[:2], LADDER[2], OLD[:1]
    asked = [("bundle", tolerance) for tolerance in (*ladder, finest)] + [("proximal", tolerance) for tolerance in old]
    if options.finest:
        asked.append(("proximal", OLD_FINEST))
    # whatever a process loads or compiles once is not timed
    common.followed(margin_map, common.spec_of("bundle", 0.02), here["weights"], Stop(steps=2))
    rows, thetas = [], {}
    for method, tolerance in asked:
        repeats = 1 if tolerance in (finest, OLD_FINEST) or options.quick else options.repeats

        def timed(method: str = method, tolerance: float = tolerance, repeats: int = repeats) -> dict[str, Any]:
            return _timed(margin_map, here["weights"], method, tolerance, span, repeats)

        found = common.kept(options, f"accuracy-{method}-{tolerance}-{n}-{options.seed}", timed)
        rows.append(found["row"])
        thetas[method, tolerance] = found["theta"]
        print(found["row"], flush=True)
    references = {"bundle": ("bundle", finest)} | ({"proximal": ("proximal", OLD_FINEST)} if options.finest else {})
    for row in rows:
        theta = thetas[row["method"], row["tolerance"]]
        row["distance"] = {f"{m} {t:g}": angle(theta, thetas[m, t]) for m, t in references.values()}
    against = f"bundle {finest:g}"
    return {
        **common.of(options, common.RELU, n, start),
        "tau": [here["tau"], here["tau"] + span],
        "from_commit": here["commit"],
        "asked": ASKED,
        "against": against,
        "rows": rows,
        "seconds_to_asked": {
            method: _seconds_to([row for row in rows if row["method"] == method], against, ASKED)
            for method in ("bundle", "proximal")
        },
    }


def _timed(margin_map: NetworkMap, start: Tensor, method: str, tolerance: float, span: float, repeats: int) -> dict:
    """A row of `accuracy`: the run made several times; and θ at its end."""
    spec, spent, ends = common.spec_of(method, tolerance, land=span), [], []
    for _ in range(repeats):
        run = common.followed(margin_map, spec, start, Stop(tau=span, steps=10**6))
        spent.append(run.end["seconds"])
        ends.append(run.landings[max(run.landings)])
    row = {
        "method": method,
        "tolerance": tolerance,
        "seconds": float(np.median(spent)),
        "of_repeats": spent,
        "apart": max(angle(end, ends[0]) for end in ends),  # of the repeats' ends
        **run.counts,
        "rejected": sum(row["rejected"] for row in run.path),
        **{key: run.end[key] for key in ("tau", "cos", "cos_point", "zeta", "temperature")},
        "stop": run.stop,
    }
    return {"row": row, "theta": ends[0]}


def _seconds_to(rows: list[dict[str, Any]], against: str, asked: float) -> dict[str, Any]:
    """The fastest run within `asked` of the reference, and between the two around it, on logarithmic scales."""
    pairs = sorted((row["distance"][against], row["seconds"]) for row in rows if row["distance"][against] > 0)
    within = [seconds for distance, seconds in pairs if distance <= asked]
    found: dict[str, Any] = {"fastest_within": min(within, default=None), "interpolated": None}
    if len(pairs) > 1 and pairs[0][0] <= asked <= pairs[-1][0]:
        x, y = np.log(pairs).T
        found["interpolated"] = float(np.exp(np.interp(math.log(asked), x, y)))
    return found


def reach(options: argparse.Namespace) -> dict[str, Any]:
    """n = 200 from τ = 0: how far in 420 s from τ = 2.5 on; tan ∠ against the speed by chords at every landing."""
    return _far(options, "reach", 200, REACH, clock_from=0.3 if options.quick else 2.5)


def large(options: argparse.Namespace) -> dict[str, Any]:
    """n = 1,000 from ℒ = ℓ(0): how far in 900 s, with how much memory; tan ∠ against the speed by chords."""
    return _far(options, "large", 1000, LARGE)


def _far(options: argparse.Namespace, name: str, n: int, limit: float, clock_from: float = 0.0) -> dict[str, Any]:
    n = common.examples(options, n)
    margin_map, start = common.started(options, common.RELU, n)
    before = common.peak_gib()
    found, run = followed_far(
        options, name, margin_map, start, options.tolerance, common.seconds(options, limit), clock_from
    )
    return {
        **common.of(options, common.RELU, n, start),
        **found,
        "peak_gib_before": round(before, 3),
        "at_landings": run,
    }


def followed_far(
    options: argparse.Namespace,
    name: str,
    margin_map: NetworkMap,
    start: Tensor,
    tolerance: float,
    limit: float,
    clock_from: float = 0.0,
) -> tuple[dict[str, Any], list[dict[str, float]]]:
    """A long run of `bundle`, kept with its landings as `NAME-run`: what the record says of it, a row an interval."""
    spec = common.spec_of("bundle", tolerance)
    run = common.followed(margin_map, spec, start, Stop(tau=common.FARTHEST, steps=10**6), limit, clock_from=clock_from)
    rows = common.by_chords(run)
    found = {
        "tolerance": tolerance,
        "limit": limit,
        "clock_from": clock_from,
        "clock_started_at": run.started_at,
        **run.summary(),
        "tan_against_chords": common.agreement(rows),
    }
    keep = {
        "weights": run.weights,
        "tau": run.end["tau"],
        "cos": run.end["cos"],
        "cos_point": run.end["cos_point"],
        "tolerance": tolerance,
        "landing_taus": list(run.landings),
        "landings": torch.stack(list(run.landings.values())),
    }
    common.kept(options, f"{name}-run-{len(margin_map.images)}-{options.seed}", lambda: keep, fresh=True)
    print(name, tolerance, run.end, found["tan_against_chords"], flush=True)
    return found, rows


def halving(options: argparse.Namespace) -> dict[str, Any]:
    """n = 1,000: the distance between a tolerance and half of it at every common landing, and tan ∠ of the half.

    The run at the tolerance is that of `large`, if the same commit made it at the same tolerance.
    """
    n = common.examples(options, 1000)
    margin_map, start = common.started(options, common.RELU, n)
    limit = common.seconds(options, LARGE)
    first = common.saved(options, f"large-run-{n}-{options.seed}")
    if first is None or first["tolerance"] != options.tolerance or not common.usable(options, first):
        followed_far(options, "large", margin_map, start, options.tolerance, limit)
        first = common.saved(options, f"large-run-{n}-{options.seed}")
    found, rows = followed_far(options, "half", margin_map, start, options.tolerance / 2, 2 * limit)
    half = common.saved(options, f"half-run-{n}-{options.seed}")
    one, other = (dict(zip(run["landing_taus"], run["landings"], strict=True)) for run in (first, half))
    shared = sorted((one.keys() & other.keys()) - {0.0})
    distances = {tau: angle(one[tau], other[tau]) for tau in shared}

    def at(tau: float | None) -> dict[str, float] | None:
        return None if tau is None else {"tau": tau, "distance": distances[tau]}

    return {
        **common.of(options, common.RELU, n, start),
        "commit_of_large": first["commit"],
        "half": found,
        "at_landings_of_half": rows,
        "distances": {f"{tau:g}": distance for tau, distance in distances.items()},
        "near": at(min(shared, key=lambda tau: abs(tau - AT), default=None)),
        "end": at(max(shared, default=None)),
        "largest": max(distances.values(), default=None),
    }


def memory(options: argparse.Namespace) -> dict[str, Any]:
    """n = 1,000, the first two minutes: peak memory of `bundle` and of `proximal`, a process each."""
    rows = []
    for method in ("bundle", "proximal"):
        command = [sys.executable, "-m", "benchmarks.bundle", "one", "--method", method, *options.same]
        out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        rows.append(json.loads(out.stdout.splitlines()[-1]))
        print(rows[-1], flush=True)
    return {"rows": rows}


def one(options: argparse.Namespace) -> dict[str, Any]:
    """A row of `memory`: the run of --method in this process."""
    n = common.examples(options, 1000)
    margin_map, start = common.started(options, common.RELU, n)
    before = common.peak_gib()
    spec = common.spec_of(options.method, options.tolerance)
    run = common.followed(margin_map, spec, start, Stop(tau=100.0, steps=10**6), common.seconds(options, MEMORY))
    return {
        "method": options.method,
        **common.of(options, common.RELU, n, start),
        "tolerance": options.tolerance,
        "peak_gib_before": round(before, 3),
        "peak_gib": round(run.peak_gib, 3),
        **run.counts,
        "tau": run.end["tau"],
        "seconds": run.end["seconds"],
    }
