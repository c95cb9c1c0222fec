"""Made-up runs for rules and figures: every table that a measure, a probe or a problem writes, from closed forms.

Nothing here goes through the project's code. A little wave on everything gives fits residuals, and with them intervals.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd

DEGREE = 2
END = 6.0
LANDINGS = np.arange(0.25, END + 1e-9, 0.25)
TAU = np.union1d(np.r_[0.0, np.geomspace(2e-3, END, 90)].round(12), LANDINGS)
BELOW = 0.01  # τ from which on ℒ < ℓ(0)
# dζ/dτ = tan ∠, and the distance to the limit
SPEEDS = {
    "converges": lambda t: 0.5 * np.exp(-t),
    "creeps": lambda t: 0.4 / (t + 0.05),
    "circles": lambda t: 0.8 + 0 * t,
    "open": lambda t: 0.3 * np.exp(-0.15 * t),
}
DISTANCES = {
    "converges": lambda t: 0.5 * np.exp(-2 * t),
    "creeps": lambda t: 0.3 / np.sqrt(1 + t),
    "circles": lambda t: 0.3 + 0 * t,
    "open": lambda t: 0.1 * np.exp(-0.3 * t),
}
LAYERS = ("0.weight", "3.weight", "6.weight", "8.weight")
NORMALIZED = (*(f"{i}.{kind}" for i in range(5) for kind in ("weight", "bias")), "7.weight", "9.weight", "9.bias")


def wave(tau: np.ndarray, seed: int, size: float = 0.02) -> np.ndarray:
    """A factor near one."""
    return 1 + size * np.sin(9 * np.log(tau + 0.05) + 2.3 * seed) * np.cos(40 * tau)


def summed(tau: np.ndarray, values: np.ndarray) -> np.ndarray:
    """∫ values dτ by trapezoids, from zero."""
    return np.r_[0.0, np.cumsum((values[1:] + values[:-1]) / 2 * np.diff(tau))]


def path(
    kind: str, seed: int, degree: int | None, tolerance: float, loss_at_zero: float = 0.0, since: float = BELOW
) -> pd.DataFrame:
    """The table `path`, with ℒ < ℓ(0) from the τ `since` on."""
    tan = SPEEDS[kind](TAU) * wave(TAU, seed) * (1 + 0.05 * seed)
    zeta = 1.03 * summed(TAU, tan)  # as where steps go to and fro
    norm = 3.0 * np.exp(TAU)
    smoothed = 0.2 * np.exp((degree or 2) * 1.02 * summed(TAU, tan**2))
    smoothed[60] *= {"open": 0.97, "circles": 0.5}.get(kind, 1.0)  # a fall
    margin = smoothed * norm ** (degree or 2)
    ln_risk = np.where(since > TAU, 0.4, -margin) + loss_at_zero
    number = np.arange(len(TAU))
    return pd.DataFrame(
        {
            "step": number,
            "tau": TAU,
            "evaluations": 4 * number + 1,
            "jacobians": number // 2,
            "zeta": zeta,
            "tan": tan,
            "smoothed_margin": smoothed if degree else np.nan,
            "below": ln_risk < loss_at_zero,
            "ln_risk": ln_risk,
            "norm": norm,
            "cos": 1 / np.hypot(1, tan),
            "cos_point": 1 / np.hypot(1, 1.5 * tan),
            "unnormalised_margin": margin,
            "smallest_margin": margin,
            "effective_examples": 3.0,
            "step_size": np.diff(TAU, prepend=0.0),
            "error": tolerance**1.5 * wave(TAU, seed, 0.5) * 1e-3,
            "rejected": 0,
            "resolution": 1e-15 * margin,
            "landed": np.isin(TAU, LANDINGS),
        }
    )


def each(snapshots: pd.DataFrame, **columns) -> pd.DataFrame:
    """Snapshots times a further column's values."""
    (name, values), = columns.items()  # fmt: skip
    return snapshots.merge(pd.DataFrame({name: list(values)}), how="cross")


@functools.cache
def of_a_network(kind: str, seed: int, degree: int | None, tolerance: float = 0.05) -> dict[str, pd.DataFrame]:
    """The tables of a network's run: measures and probes."""
    steps = path(kind, seed, degree, tolerance, np.log(np.log(2.0)))
    chosen = steps.iloc[[0, 20, *range(45, len(steps) - 1, 5), len(steps) - 1]]
    at = chosen[["step", "tau", "ln_risk", "norm"]].reset_index(drop=True)
    at.insert(0, "snapshot", np.arange(len(at)))
    tau = at["tau"].to_numpy()
    zeta, distance = chosen["zeta"].to_numpy(), DISTANCES[kind](tau)
    moved = np.r_[np.nan, np.diff(zeta)]
    direction = at.assign(angle_from_previous=0.9 * moved, angle_to_last=zeta[-1] - zeta)
    shorter = at[["snapshot", "tau", "ln_risk"]]

    example = np.tile(np.arange(6), len(at))
    margins = each(shorter, example=range(6))
    p = (1 + 0.2 * example) * (1 + 0.3 * (1 + example) * np.repeat(distance * wave(tau, seed), 6))
    margins["by_norm"] = (p / 100 if degree else np.nan) * np.ones(len(p))
    margins["by_risk"], margins["by_mean"], margins["by_last"] = p, p / p.mean(), 3 * p

    saliency = each(shorter, example=range(6))
    turned = np.repeat(np.r_[np.nan, np.abs(np.diff(zeta))], 6) * (0.5 + 0.1 * example)
    twice = np.repeat(np.r_[np.nan, np.nan, np.abs(zeta[2:] - zeta[:-2])], 6) * (0.5 + 0.1 * example)
    saliency["moved"], saliency["over_two"] = turned, 0.97 * twice
    saliency["to_last"], saliency["norm"] = np.repeat(zeta[-1] - zeta, 6) * 0.6, 2.0 + example
    pixels = [(np.arange(16) * 13 + 29 * i).astype(np.uint8) for i in range(len(saliency))]
    saliency["picture"] = [pixels[i] if one < 2 else None for i, one in enumerate(saliency["example"])]

    names = LAYERS if degree else NORMALIZED
    layers = each(at, layer=names)
    number = np.tile(np.arange(len(names)), len(at))
    share = (1 + number) / (1 + np.arange(len(names))).sum()
    grown = np.repeat(np.exp(2 * tau), len(names))
    drift = {"converges": 1e-3, "creeps": 0.1, "circles": 0.4}.get(kind, 0.0)  # balanced layers' differences stay
    layers["layer_norm"] = np.sqrt(grown * (1 + drift * number) + 0.3 * number)
    layers["cos"] = np.repeat(1 / np.hypot(1, SPEEDS[kind](tau)), len(names)) - 0.01 * number
    layers["weight_share"], layers["gradient_share"] = 1 / len(names), share

    quantities = each(at, quantity=("smoothed_margin", "path_length"))
    late = np.repeat(tau, 2)
    first = quantities["quantity"] == "smoothed_margin"
    quantities.insert(5, "resolution", 1e-14 * np.exp(2 * late))
    radial, spherical = np.where(first, 0.1 * np.exp(-late), 0.0), SPEEDS[kind](late)
    difference = 1e-9 * (1 + late)
    quantities["left"] = (radial + spherical) * (1 + difference)
    quantities["radial"], quantities["spherical"], quantities["difference"] = radial, spherical, difference
    quantities = quantities[quantities["ln_risk"] < np.log(np.log(2))].reset_index(drop=True)

    meets = steps[steps["landed"]]
    angle = 0.02 * tolerance * (1 + meets["tau"].to_numpy()) + 0.3 * seed
    sketch = pd.concat(
        [
            pd.DataFrame({"bucket": np.arange(4), "value": [np.cos(a), np.sin(a), 0.0, 0.0]}).assign(
                snapshot=i, tau=t, landed=True
            )
            for i, (t, a) in enumerate(zip(meets["tau"], angle, strict=True))
        ],
        ignore_index=True,
    )
    epochs = np.arange(8)
    landings = steps.loc[steps["landed"] | (steps["step"] == 0), ["step", "tau", "ln_risk", "norm", "zeta"]]
    landings = landings.assign(zeta=0.97 * landings["zeta"], snapshot=np.arange(len(landings)))
    chord = landings["zeta"].diff()
    return {
        "path": steps,
        "chords": landings.assign(chord=chord, speed=chord / landings["tau"].diff()),
        "kkt": certificates(at, distance),
        "direction": direction,
        "margins": margins,
        "saliency": saliency,
        "layers": layers,
        "decomposition": quantities if degree else quantities.iloc[:0],
        "sketch": sketch,
        "errors": at.assign(train_error=0.0, test_error=0.05 - 0.004 * tau, ln_mean_test_loss=-1 - tau),
        "training": pd.DataFrame(
            {
                "epoch": epochs,
                "ln_risk": 4 - 0.6 * epochs,
                "norm": 2.5 + 0.06 * epochs,
                "train_error": 0.5 * np.exp(-epochs.astype(float)),
                "test_error": 0.5 * np.exp(-0.4 * epochs),
            }
        ),
        "degree": at.assign(
            degree_mean=2 + distance, degree_q05=2 - distance, degree_q50=2 + distance / 2, degree_q95=2 + 2 * distance
        ),
        "generalization": generalization(kind, at),
        "homogeneity": homogeneity(degree, {"converges": 1e-13, "creeps": 0.3}.get(kind, 1e-4)),
    }


def certificates(at: pd.DataFrame, distance: np.ndarray) -> pd.DataFrame:
    """The table of the probe kkt; an example leaves the set while the distance to the limit is above 0.1."""
    sets = [[0, 2, 5] if away > 0.1 else [0, 2] for away in distance]
    relative = np.minimum(0.9, distance)
    return at.assign(
        margin=0.04,
        epsilon=5 * relative,
        epsilon_relative=relative,
        cos_best=np.sqrt(1 - relative**2),
        delta=0.01 * distance**2,
        radius=0.0,
        support=[len(examples) for examples in sets],
        examples=sets,
        multipliers=[[0.5, 0.4, 0.1][: len(examples)] for examples in sets],
    )


def homogeneity(degree: int | None, deviation: float) -> pd.DataFrame:
    """The table of a check of the degree."""
    scale = np.array([0.25, 0.8, 2.0, 4.0])
    declared = np.nan if degree is None else float(degree)
    return pd.DataFrame(
        {
            "scale": scale,
            "degree": declared,
            "estimated_degree": 2 + 0.1 * np.log(scale),
            "deviation": deviation * np.array([0.0, 0.5, 1.0, 0.7]),
        }
    )


def generalization(kind: str, at: pd.DataFrame) -> pd.DataFrame:
    """The table of that name, of a network's probe or of a problem."""
    tau = at["tau"].to_numpy()
    gain = {"converges": 0.3, "creeps": -0.3, "circles": 0.01, "open": 0.02}[kind]
    radius = 0.5 * (1 + gain * (1 - np.exp(-tau)))
    return at.assign(
        below=tau >= BELOW,
        train_error=np.where(tau < BELOW, 0.1, 0.0),
        test_error=0.1 - 0.01 * np.tanh(tau),
        ln_mean_test_loss=-1 - tau,
        **{f"margin_q{q:02d}": 0.01 * q + 0.02 * np.tanh(tau) for q in (5, 25, 50, 75, 95)},
        radius_attack_q25=0.7 * radius,
        radius_attack_q50=radius,
        radius_attack_q75=1.4 * radius,
        radius_first_order_q50=0.9 * radius,
        radius_certified_q50=0.1 * radius,
    )


@functools.cache
def of_a_problem(kind: str, seed: int, width: int = 8, dimension: int = 2) -> dict[str, pd.DataFrame]:
    """The tables of every kind of problem together."""
    steps = path(kind, seed, DEGREE, 0.01, since=0.0)  # a problem's flow starts where ℒ < ℓ(0)
    kept = steps[steps["landed"] | (steps["step"] == 0) | (steps["step"] == 8)]
    at = kept[["step", "tau", "ln_risk", "norm"]].reset_index(drop=True)
    at.insert(0, "snapshot", np.arange(len(at)))
    tau, end = at["tau"].to_numpy(), END
    away = DISTANCES[kind](tau) * wave(tau, seed)
    even = np.isin(np.arange(len(tau)), np.unique(np.geomspace(1, len(tau) - 1, 12).astype(int)))
    to_end = np.abs(DISTANCES[kind](tau) - DISTANCES[kind](np.array(end)))
    if kind == "circles":
        to_end = 0.1 * (end - tau)
    turned = DISTANCES[kind](np.array(0.0)) - DISTANCES[kind](tau)
    turned = turned + {"creeps": 0.3, "open": 0.15}.get(kind, 0.0) * tau / end
    short = {"converges": 0.9999 - 0.3 * away, "creeps": 0.9 - 0.1 * away, "circles": 0.7 - 0.1 * away}
    ratio = short.get(kind, 0.985 - away)
    start_steps = np.arange(0, 60, 5)
    worst = {"converges": 20.0, "creeps": 2000.0}.get(kind, 20.0)
    reached = kind != "circles"
    excess = np.linspace(3.0, -0.05 if reached else 0.4, len(start_steps))
    arc = 0.02 * start_steps
    start = pd.DataFrame(
        {
            "step": start_steps * worst / 20,
            "arc": arc,
            "time": arc
            * (1 + arc)
            * (1 + 0.1 * seed)
            * {"creeps": width, "open": 3.0 * width**0.2}.get(kind, 30 / width),
            "ln_risk": excess,
            "norm": 2.9 + 0.1 * arc,
            "smoothed_margin": -0.3 + 0.32 * arc,
            "train_error": np.clip(excess, 0, 1) / 3,
            "below": excess < 0,
        }
    )
    limit = at.assign(
        ln_time=np.where(tau > 0, 0.5 * np.exp(1.5 * tau), -np.inf),
        to_start=turned,
        to_end=to_end,
        angle=away * 1e-3 if kind == "converges" else away,
        margin=0.3 * ratio,
        ratio=ratio,
        function_ratio=0.9 * ratio,
        lower=0.3 * (1 - 1e-12),
        upper=0.3,
        bound=0.3,
        chords=np.where(even, np.interp(tau, TAU, steps["zeta"]), np.nan),
        flips=np.where(tau > 0, 0.1 * away, np.nan),
        returns=np.where(tau > 0.25, 0.03 * away, np.nan),
    )  # fmt: skip
    factors = pd.concat(
        [
            at.assign(
                layer=k,
                ratio=away * (0.01 if kind == "converges" else 1) * (1 + 0.1 * k),
                neighbour=0.5 * away * (0.01 if kind == "converges" else 1) if k < 3 else np.nan,
            )
            for k in (1, 2, 3)
        ]
    ).sort_values(["snapshot", "layer"], ignore_index=True)
    return {
        "path": steps,
        "start": start,
        "limit": limit,
        "factors": factors,
        "decomposition": of_a_network(kind, seed, DEGREE)["decomposition"],
        "generalization": generalization(kind, at.iloc[::3].reset_index(drop=True)),
        "surfaces": at.assign(
            to_start=0.3 * np.tanh(tau) * {"creeps": 0.1, "circles": 0.01}.get(kind, 1.0),
            to_end=to_end,
            to_kernel=0.4 - 0.05 * np.tanh(tau),
            kernel_gap=1e-12,
        ),
        **planar(),
        **neurons(at, dimension),
        "losses": losses(kind, at),
        "descents": descents(kind, seed),
        "spiral": spiral(seed),
    }


def planar() -> dict[str, pd.DataFrame]:
    """A surface on a grid, and points."""
    side = np.linspace(-1, 1, 7)
    x, y = (axis.ravel() for axis in np.meshgrid(side, side))
    grid = [
        pd.DataFrame({"surface": name, "x": x, "y": y, "value": np.tanh(a * x + b * y)})
        for name, a, b in (("kernel", 1.0, 0.5), ("start", 0.5, 1.0), ("end", 2.0, 0.1))
    ]
    points = pd.DataFrame({"x": side, "y": side[::-1], "label": np.where(side > 0, 1, -1)})
    return {"grid": pd.concat(grid, ignore_index=True), "points": points}


def neurons(at: pd.DataFrame, dimension: int) -> dict[str, pd.DataFrame]:
    """Directions with signed masses, at three snapshots; and the best measure's atoms."""
    angle = np.linspace(0.1, 6.1, 8)
    height = np.linspace(-0.8, 0.8, 8) if dimension == 3 else np.zeros(8)
    axes = {"x": np.cos(angle) * np.sqrt(1 - height**2), "y": np.sin(angle) * np.sqrt(1 - height**2)}
    axes |= {"z": height} if dimension == 3 else {}
    mass = np.where(np.arange(8) % 2, -1.0, 1.0) * np.geomspace(0.4, 1e-5, 8)
    last = len(at) - 1
    parts = [
        pd.DataFrame(axes).assign(mass=mass, snapshot=s, tau=at["tau"].iloc[s], neuron=range(8))
        for s in (0, last // 2, last)
    ]
    return {"neurons": pd.concat(parts, ignore_index=True), "atoms": pd.DataFrame(axes).assign(mass=mass).head(3)}


def losses(kind: str, at: pd.DataFrame) -> pd.DataFrame:
    """The table of that name."""
    tau = at["tau"].to_numpy()
    parts = []
    for k, loss in enumerate(("exponential", "logistic", "cubic", "polynomial")):
        away = np.zeros(len(tau)) if k == 0 else DISTANCES[kind](tau) * 0.4 * k
        parts.append(
            at.assign(
                loss=loss,
                below=tau >= BELOW,
                angle=1.5 * away,
                to_end=1.6 * away,
                function_angle=away,
                function_to_end=away,
                function_to_own_end=0.5 * away,
                margin=0.3 - 0.1 * away,
                to_best=0.01 + away,
            )
        )
    return pd.concat(parts, ignore_index=True)


def descents(kind: str, seed: int) -> pd.DataFrame:
    """The table of that name: distances to the flow that grow with the step size to the power of one, two or nought."""
    order = {"converges": 1.0, "creeps": 2.0, "circles": 0.0, "open": 0.7}[kind]
    rows = []
    fractions = (0.03125, 0.0625, 0.125, 0.25, 0.5, 1.0)
    methods = [(name, f, 60, 0.02 * f) for name in ("gd", "ln_gd") for f in fractions]
    methods += [("sgd", 0.25, b, 0.005) for b in (5, 20)]
    methods += [("momentum", 0.025, 60, 0.0005), ("adam", np.nan, 60, 0.001)]
    for name, fraction, batch, size in methods:
        for tau in (0.02, 0.06, 0.1, 0.3):
            share = 0.25 if np.isnan(fraction) else fraction
            angle = 0.03 * (1 + tau) * share**order * (1 + 0.03 * np.sin(50 * share + seed))
            rows.append(
                {
                    "method": name,
                    "fraction": fraction,
                    "batch": batch,
                    "step_size": size,
                    "last": tau == 0.3,
                    "tau": tau,
                    "steps": round(tau / size) + 1,
                    "ln_risk": 0.2 - 10 * tau,
                    "angle": angle,
                    "to_end": angle + 0.2,
                }
            )
    return pd.DataFrame(rows)


def spiral(seed: int) -> pd.DataFrame:
    """The table of that name."""
    phi = np.linspace(2.5 + 0.1 * seed, 22, len(TAU))
    r = np.sqrt(1 - 1 / phi)
    return pd.DataFrame(
        {
            "tau": np.exp(phi) * phi**3 * 1e-3,
            "zeta": phi - phi[0],
            "R": phi,
            "phi": phi,
            "u": r * np.cos(phi),
            "v": r * np.sin(phi),
            "squares": 1 - 1 / phi**2,
        }
    )


def record(run: str, seed: int, model: str, degree: int | None, loss: str, **more: Any) -> dict[str, Any]:
    """The manifest of a run's measures, but for its files."""
    specification = {"run": run, "seed": seed, "model": {"name": model}, "degree": degree, "loss": loss, **more}
    return {"specification": specification, "stop": "tau"}


def network_run(run: str, kind: str, seed: int = 0, degree: int | None = DEGREE, tolerance: float = 0.05, **changes):
    """A network's run: folder, tables, manifest."""
    flow = {"method": "proximal", "tolerance": tolerance, "largest_step": 0.2, "land": 0.25, "slack": None}
    model = "alexnet" if degree else "densenet"
    stop = {"steps": 1000, "tau": END}
    made = record(run, seed, model, degree, "logistic", flow=flow, stop=stop, data="digits")
    return f"{run}/seed{seed}", {**of_a_network(kind, seed, degree, tolerance), **changes}, made


def problem_run(run: str, kind: str, seed: int = 0, name: str = "dense", width: int = 8, dimension: int = 2, **changes):
    """A problem's run: folder, tables, manifest."""
    options = {"name": name, "width": width, "activation": "soft_relu"}
    made = record(run, seed, name, DEGREE, "exponential", problem=options)
    return f"{run}/seed{seed}", {**of_a_problem(kind, seed, width, dimension), **changes}, made
