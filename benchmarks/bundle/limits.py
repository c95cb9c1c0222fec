"""Smooth AlexNet towards its limit, and how near a KKT point runs end. A part is a function of this module."""

from __future__ import annotations

import argparse
import math
import time
from typing import Any

import numpy as np

from benchmarks.bundle import common, paths
from dirconv.geometry import angle, directions
from dirconv.goals import Stop
from dirconv.kkt.polish import polish

SMOOTH = {**common.RELU, "activation": "smooth"}
SECONDS = 600.0
SHORT = 4  # landing at which the order is read: τ = 0.414
LADDER, FINEST = (0.04, 0.02, 0.01), 0.00125  # tolerances of the order
EVERY = 4  # landings between certificates along a run


def smooth(options: argparse.Namespace) -> dict[str, Any]:
    """n = 500: how far in 600 s, both alignments and the best of any multipliers at the end; the method's order."""
    n = common.examples(options, 500)
    margin_map, start = common.started(options, SMOOTH, n)
    found, rows = paths.followed_far(
        options, "smooth", margin_map, start, options.tolerance, common.seconds(options, SECONDS)
    )
    end = common.saved(options, f"smooth-run-{n}-{options.seed}")
    return {
        **common.of(options, SMOOTH, n, start),
        **found,
        "at_landings": rows,
        "certificates": common.certificates(margin_map, directions(end["weights"])),
        "order": _order(options, margin_map, start),
    }


def _order(options: argparse.Namespace, margin_map: Any, start: Any) -> dict[str, Any]:
    """The exponent of the error in the number of steps, over a short way against a fine tolerance."""
    tau = common.landing(1 if options.quick else SHORT)
    rows, ends = [], []
    for tolerance in (*LADDER, 0.005 if options.quick else FINEST):
        run = common.followed(margin_map, common.spec_of("bundle", tolerance), start, Stop(tau=tau, steps=10**6))
        ends.append(run.landings[max(run.landings)])
        rows.append({"tolerance": tolerance, **run.counts, "seconds": run.end["seconds"], "tau": run.end["tau"]})
        print(rows[-1], flush=True)
    for row, end in zip(rows[:-1], ends[:-1], strict=True):
        row["distance"] = angle(end, ends[-1])
    points = [(math.log(row["steps"]), math.log(row["distance"])) for row in rows[:-1]]
    by_steps = len({x for x, _ in points}) > 1
    return {
        "tau": tau,
        "rows": rows,
        "order": -float(np.polyfit(*zip(*points, strict=True), 1)[0]) if by_steps else None,
    }


def certificate(options: argparse.Namespace) -> dict[str, Any]:
    """Part `kkt`: certificates along `reach` and at its end, at the end of `smooth`, and of what Newton makes of that.

    Of the runs that are kept in --work, whatever commit made them: the record says which.
    """
    found: dict[str, Any] = {}
    for name, network, n in (("reach", common.RELU, 200), ("smooth", SMOOTH, 500)):
        n = common.examples(options, n)
        run = common.saved(options, f"{name}-run-{n}-{options.seed}")
        if run is None:
            print(f"kkt: no run of `{name}` is kept in {options.work}; left out", flush=True)
            continue
        margin_map, start = common.started(options, network, n)
        theta = directions(run["weights"])
        section = {
            **common.of(options, network, n, start),
            "made_by": run["commit"],
            **{key: run[key] for key in ("tau", "tolerance", "cos", "cos_point")},
            "certificates": common.certificates(margin_map, theta),
            "along": [
                {"tau": tau, **common.numbers(common.certified(margin_map, there))}
                for tau, there in list(zip(run["landing_taus"], run["landings"], strict=True))[EVERY::EVERY]
            ],
        }
        if name == "smooth":
            section["polished"] = _polished(options, margin_map, theta)
        found[name] = section
        print(name, section["certificates"], section.get("polished"), flush=True)
    return found


def _polished(options: argparse.Namespace, margin_map: Any, theta: Any) -> dict[str, Any]:
    began, path = time.perf_counter(), []

    def watch(there: Any, residual: float, margin: float) -> bool:
        row = {"seconds": round(time.perf_counter() - began, 1), "residual": residual, "margin": margin}
        path.append({**row, "distance": angle(there, theta)})
        return options.quick and len(path) > 3

    result = polish(margin_map, theta, watch=watch)
    return {
        "seconds": round(time.perf_counter() - began, 1),
        "converged": result.converged,
        "distance": result.distance,
        "curvature": result.curvature,
        "path": path,
        **common.numbers(result.certificate),
    }
