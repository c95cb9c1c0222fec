"""Golden runs of the small problems, what they share, and the oracles that they are held against."""

from __future__ import annotations

import functools

import adapt
import numpy as np
import torch
from case import Numbers, golden
from maps import entries
from of_measures import columns

from dirconv.oracles import hard_margin, kernel, signed_measure, sliding

FOLLOWED = (
    *("small_flows", "flow.bundle", "flow.rk4", "backward", "proximal_step", "cuts", "cut_dual", "step_control"),
    *("function_map", "jacobian", "losses", "rates", "flow", "goals", "point"),
)
ON_DIGITS = ("small_networks", *FOLLOWED, "data.digits", "split")
# what is only rounding, or nearly: a direction's angle to itself, the sides' difference, a certified gap
NOISE = ("difference", "kernel_gap")


def solved(options: dict, seeds: tuple[int, ...] = (0,)) -> Numbers:
    """The tables of a problem's runs."""
    found: Numbers = {}
    for seed, run in zip(seeds, adapt.solved(options, list(seeds)), strict=True):
        found[f"seed {seed}: stop"] = run.stop
        for table, rows in run.tables.items():
            if table == "atoms":  # near the optimum masses may go from one to another
                continue
            rows = rows.drop(columns=[name for name in NOISE if name in rows])
            found |= {f"seed {seed}, {table}, {label}": value for label, value in columns(rows).items()}
    return found


def problem(name: str, variants: dict[str, dict], *parts: str, **tolerance) -> None:
    """Register the golden run of a problem in several variants."""

    def run() -> Numbers:
        found: Numbers = {}
        for variant, options in variants.items():
            found |= {f"{variant}, {label}": value for label, value in solved({"name": name, **options}).items()}
        return found

    golden(f"problem.{name}", *parts, **tolerance)(run)


SHORT = {"tau": 0.6, "tolerance": 0.03, "land": 6}
problem(
    "deep_linear",
    {
        "three layers": {**SHORT, "width": 3, "dimension": 3, "examples": 8},
        "polynomial": {**SHORT, "depth": 2, "width": 3, "dimension": 3, "examples": 8, "loss": "polynomial"},
    },
    *FOLLOWED,
    "hard_margin",
    relative=1e-7,
    absolute=1e-10,
)
problem(
    "squared_relu",
    {
        "cover": {**SHORT, "neurons": 8, "examples": 10},
        "trained": {**SHORT, "neurons": 6, "examples": 6, "dimension": 3, "trained": True, "start": "random"},
    },
    *FOLLOWED,
    "signed_measure",
    relative=1e-7,
    absolute=1e-10,
)
problem(
    "planar", {"narrow": {**SHORT, "width": 6, "examples": 8}}, *FOLLOWED, "kernel", "hard_margin",
    relative=1e-7, absolute=1e-10,
)  # fmt: skip
problem(
    "homogeneous_map",
    {
        "polynomial": {**SHORT, "dimension": 4, "examples": 5},
        "tensor": {**SHORT, "kind": "tensor", "dimension": 3, "examples": 5, "rank": 3},
    },
    *FOLLOWED,
    relative=1e-7,
    absolute=1e-10,
)
# the solver's tolerance is relative 10⁻⁸ here, and its steps are chosen by error estimates
problem("mexican_hat", {"turns": {"turns": 1.0, "points": 30, "tolerance": 1e-8}}, relative=1e-6, absolute=1e-12)
DENSE = {**SHORT, "width": 4, "examples": 8}
problem(
    "dense",
    {
        "soft_relu": {**DENSE, "activation": "soft_relu", "flipped": 0.25},
        "cubic, squared_relu": {**DENSE, "activation": "squared_relu", "loss": "cubic", "tau": 0.3},
        "conflicting": {**DENSE, "conflicting": 2, "descent": 12},
    },
    *ON_DIGITS,
    relative=1e-7,
    absolute=1e-10,
)
problem(
    "dense_losses",
    {"linear": {**DENSE, "activation": "linear", "tau": 0.4}},
    *ON_DIGITS,
    "hard_margin",
    relative=1e-7,
    absolute=1e-10,
)
problem(
    "dense_descents",
    {
        "soft_relu": {
            **DENSE, "layers": 3, "examples": 12, "activation": "soft_relu", "tau": 0.1, "land": 32, "steps": 30,
            "fractions": [0.125, 0.5], "batches": [4], "adam": [0.003],
        }
    },
    *ON_DIGITS,
    "problem.dense",
    relative=1e-7,
    absolute=1e-10,
)  # fmt: skip


@golden("small_networks", "function_map", "losses", "data.digits", "split")
def of_small_networks() -> Numbers:
    """Images, starts and outputs of every activation."""
    found: Numbers = {}
    rooms = adapt.small_networks()
    for activation in ("linear", "relu", "leaky_relu", "soft_relu", "squared_relu"):
        options = {"layers": 3, "width": 3, "examples": 10, "scale": 1.5, "flipped": 0.2, "conflicting": 1}
        spec = rooms.Network(activation=activation, positive=[3, 5], **options)
        if activation == "relu":
            spec = rooms.Network(width=5, examples=6)
        data, weights = rooms.images(spec, [0, 1]), rooms.start(spec, [0, 1])
        loss = "cubic" if activation == "relu" else "logistic"
        maps = [rooms.margin_map(spec, data.of(i), loss)[0] for i in range(2)]
        margins = [made.values(at) for made, at in zip(maps, weights, strict=True)]
        found |= {
            f"{activation}: degrees": [float(spec.network_degree), float(rooms.degree(spec, "cubic"))],
            f"{activation}: pixels": entries(data.x, 9),
            f"{activation}: test pixels": entries(data.x_test, 9),
            f"{activation}: labels": data.y.flatten().tolist(),
            f"{activation}: start": entries(weights, 9),
            f"{activation}: outputs": rooms.output(spec, weights[0], data.x[0]).tolist(),
            f"{activation}: margins": torch.cat(margins)[:, 0].tolist(),
        }
    return found


@functools.cache
def labelled(dimension: int, count: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Points of two classes that a linear function through the origin separates."""
    random = np.random.default_rng(70 + dimension)
    x = random.normal(size=(count, dimension))
    y = np.where(x[:, 0] > 0, 1.0, -1.0)
    x[:, 0] += 0.3 * y
    return x, y


@golden("hard_margin")
def of_hard_margin() -> Numbers:
    x, y = labelled(4)
    best = hard_margin.solve(y[:, None] * x)
    bounds = hard_margin.certified(y[:, None] * x, np.where(x[:, 0] > 0, 2.0, 1.0) / np.where(x[:, 0] > 0, 2, 1).sum())
    return {
        "margin": [best.lower, best.upper],
        "predictor": best.predictor.tolist(),
        "dual": best.dual.tolist(),
        "bounds": [bounds.lower, bounds.upper, bounds.gap],
    }


@golden("kernel", "hard_margin", relative=1e-8)
def of_kernel() -> Numbers:
    x, y = labelled(3)
    best = kernel.max_margin(x, y)
    at = np.random.default_rng(80).normal(size=(5, 3))
    return {
        "kernel": kernel.ntk(x, at).ravel().tolist(),
        "margin": [best.lower, best.upper],
        "predicted": kernel.predict(x, y, best.dual, at).tolist(),
    }


@golden("sliding", "hard_margin")
def of_sliding() -> Numbers:
    x = np.random.default_rng(90).normal(size=(5, 4)) * 0.5 + np.eye(5, 4)
    path = sliding.smallest_of_linear(x[:3], np.array([1.0, 2.0, 3.0, 0.5]))
    phases = (sliding.relu_phase(x[:2], (0,), (1,)), None), (sliding.pool_phase(x[:2], -1, 0, held=True), None)
    held = [sliding.joined(np.linspace(0.5, 1.0, len(phase.matrix)), (phase, until)) for phase, until in phases]
    found: Numbers = {"begins": path.begins}
    for name, each in (("linear", path), ("relu", held[0]), ("pool", held[1])):
        found |= {f"{name}, weights": each.weights(0.4).tolist(), f"{name}, at": [each.cos(0.4), each.zeta(0.4)]}
    return found


# a linear program solved to 10⁻¹⁰
@golden("signed_measure", relative=1e-7)
def of_signed_measure() -> Numbers:
    found: Numbers = {}
    for dimension in (2, 3):
        x, y = labelled(dimension, 6)
        best = signed_measure.solve(x, y)
        found[f"{dimension}: margin"] = [best.lower, best.upper]
        # of the atoms only what they attain: near the optimum masses may go from one to another
        attained = best.predictor[:, -1] @ signed_measure.features(best.predictor[:, :-1], x) * y
        found[f"{dimension}: attained"] = float(attained.min())
        found[f"{dimension}: regions"] = float(len(signed_measure.regions(x)))
        points, bounds = signed_measure.critical(x, y, np.full(6, 1 / 6), signed_measure.regions(x))
        found[f"{dimension}: critical"] = [float(bounds.max()), float(np.abs(points).sum())]
        found[f"{dimension}: features"] = signed_measure.features(x[:2], x).ravel().tolist()
    return found


@golden("small_flows", *FOLLOWED[1:], relative=1e-7, absolute=1e-10)
def of_small_flows() -> Numbers:
    """Two seeds together: each goes its own way, whichever goes beside it."""
    options = {"name": "homogeneous_map", **SHORT, "dimension": 3, "examples": 4}
    together = solved(options, (0, 1))
    alone = {label: value for label, value in solved(options, (1,)).items() if "ln_risk" in label}
    return together | {f"alone, {label}": value for label, value in alone.items()}
