"""Golden runs of measures and probes: on a made-up trajectory of a small network, which no flow has followed."""

from __future__ import annotations

import functools

import adapt
import numpy as np
import pandas as pd
import torch
from case import Numbers, golden
from maps import digits, normal, normalized, on_digits, smooth, weights_for

MEASURE = ("trajectory", "margin_map", "losses")


def steps(norms: np.ndarray, ln_risk: np.ndarray) -> pd.DataFrame:
    """A row a step, as the flow's stage writes them."""
    number = np.arange(len(norms))
    return pd.DataFrame(
        {
            "step": number,
            "evaluations": 3 * number + 1,
            "jacobians": number,
            "zeta": 1 - np.exp(-0.3 * number),
            "ln_risk": ln_risk,
            "norm": norms,
            "cos": 1 - 0.5 / (1 + number),
            "cos_point": 1 - 0.6 / (1 + number),
            "unnormalised_margin": -ln_risk,
            "smallest_margin": -ln_risk + 1,
            "effective_examples": 2.0 + number,
            "step_size": 0.01 * (1 + number),
            "error": 1e-3 / (1 + number),
            "rejected": number % 2,
            "resolution": 1e-12,
            "landed": number % 4 == 0,
        }
    )


def straight(margin_map, test, start: torch.Tensor, loss: str):
    """W = (1 + t)(W₀ + t V) at t = 0 … 1, every second step kept."""
    t = np.linspace(0, 1, 9)
    way = 0.3 * normal(60, len(start)) * start.norm() / len(start) ** 0.5
    weights = torch.stack([(1 + x) * (start + x * way) for x in t])
    from dirconv import losses

    ln_risk = np.array([float(losses.get(loss).ln_risk(margin_map.values(w))) for w in weights])
    at = np.arange(0, 9, 2)
    table = steps(weights.norm(dim=1).numpy(), ln_risk)
    return adapt.trajectory(table, at, weights[at], margin_map, test, loss)


@functools.cache
def homogeneous():
    """The small network on digits, ℒ < ℓ(0)."""
    margin_map, start = on_digits()
    return straight(margin_map, margin_map.on(*digits(12, skip=40)), start, "logistic")


@functools.cache
def coupled():
    """A network with batch statistics, above ℓ(0)."""
    margin_map, start = normalized()
    test = margin_map.on(margin_map.images[:6].flip(2), margin_map.labels[:6])
    return straight(margin_map, test, start, "cross_entropy")


def columns(table: pd.DataFrame) -> Numbers:
    """Of every column of numbers: how many are known, their sum and a few of them; of others how often each stands."""
    found: Numbers = {"rows": float(len(table)), "columns": list(table.columns)}
    for name, values in table.items():
        if values.dtype == object or isinstance(values.dtype, pd.StringDtype):
            known = values.dropna()
            if len(known) and isinstance(known.iloc[0], np.ndarray):  # pictures
                found[name] = [float(picture.astype(float).sum()) for picture in known.head(6)]
            else:
                counts = values.value_counts(sort=False, dropna=False)
                found[name] = [f"{key} {count}" for key, count in counts.items()]
            continue
        numbers = values.to_numpy(dtype=float) * (2.0**53 if name == "resolution" else 1.0)
        known = numbers[np.isfinite(numbers)]
        found[f"{name}: known"] = float(len(known))
        if len(known):
            found[name] = [*known[:: max(1, len(known) // 5)].tolist()[:6], float(known[-1])]
            found[f"{name}: sum"] = float(np.abs(known).sum())
    return found


def both(measure: str, package: str = "measures") -> Numbers:
    table = adapt.module(package, measure).table
    found = {f"homogeneous: {label}": value for label, value in columns(table(homogeneous())).items()}
    return found | {f"coupled: {label}": value for label, value in columns(table(coupled())).items()}


@golden(*MEASURE)
def of_trajectory() -> Numbers:
    found: Numbers = {}
    for name, made in (("homogeneous", homogeneous()), ("coupled", coupled())):
        found |= {f"{name}: {label}": value for label, value in columns(made.at_snapshots).items()}
        for i in (0, -1):
            for part, values in adapt.at_weights(made.points[i], made.train.degree).items():
                found[f"{name}, {i}: {part}"] = values.tolist()
    return found


for measure in ("chords", "direction", "errors", "layers", "path", "sketch", "training"):
    turns = ("geometry",) if measure in ("chords", "direction", "sketch") else ()
    golden(f"measure.{measure}", *turns, *MEASURE)(functools.partial(both, measure))

# float32 in the tables
for measure in ("margins", "saliency"):
    golden(f"measure.{measure}", *MEASURE, relative=1e-6)(functools.partial(both, measure))


@golden("measure.decomposition", "rates", *MEASURE)
def of_decomposition() -> Numbers:
    """Without the sides' difference, which is rounding."""
    return {label: value for label, value in both("decomposition").items() if ": difference" not in label}


# a central difference of step 10⁻⁵: rounding errors of 10⁻¹⁶ over it
@golden("probe.degree", "network.alexnet", "initial_weights", *MEASURE, relative=5e-9)
def of_degree() -> Numbers:
    """And of a deep network: the difference's own error is of the third order in the scale."""
    network, degree, _ = adapt.network({"name": "alexnet", "width": 0.0625}, 3, 1)
    images, labels = normal(61, 3, 3, 32, 32), torch.ones(3, dtype=torch.float64)
    deep = adapt.network_map(network.double(), images, labels, degree)
    table = adapt.module("probes", "degree").table(straight(deep, deep, weights_for(deep, 62), "logistic"))
    return both("degree", "probes") | {f"deep: {label}": value for label, value in columns(table).items()}


@golden("probe.kkt", "kkt", "resolved_kkt", "geometry", *MEASURE)
def of_kkt() -> Numbers:
    """On the small network, whose margins are tied at the start, and on one with batch statistics: there is none."""
    return both("kkt", "probes")


@golden("polish", "kkt", "lagrangian", "trust_region", "geometry", relative=1e-6)
def of_polish() -> Numbers:
    """A KKT point of a small smooth map, found again from near by: its margin, its multipliers and how far it was."""
    margin_map, start = smooth()
    near = adapt.polish(margin_map, start / start.norm()).theta + 0.003 * normal(63, len(start))
    found = adapt.polish(margin_map, near / near.norm())
    return {
        "margin": found.certificate.margin,
        "multipliers": found.certificate.multipliers.flatten().tolist(),
        "distance": found.distance,
        "converged": float(found.converged),
    }


# an attack's steps go to and fro across the boundary
@golden("probe.generalization", "robustness", *MEASURE, relative=1e-6)
def of_generalization() -> Numbers:
    """Fewer images and steps of the attack than a study has."""
    probe = adapt.module("probes", "generalization")
    few = {"ATTACKED": 4, "ATTACK_STEPS": 10}
    with adapt.replaced(probe, few):
        return both("generalization", "probes")
