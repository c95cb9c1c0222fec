"""The only place where golden runs name what may move: modules' names, and calls whose form is the project's own.

A refactoring that renames or moves something is followed here, and the numbers show that nothing else changed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import io
import json
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml
from torch import Tensor

from dirconv import artifacts, flow, losses, models, problems, training
from dirconv.margins.function import FunctionMap
from dirconv.margins.network import NetworkMap
from dirconv.options import plugin


def _module(name: str) -> ModuleType:
    """The module dirconv.<name>."""
    return importlib.import_module(f"dirconv.{name}")


def module(package: str, name: str) -> ModuleType:
    """The module of that name in an open registry: data, models, flow, measures, probes, problems, figures, rules."""
    return plugin({"rules": "claims.rules", "flow": "flow.methods"}.get(package, package), name, "golden")


# margin maps and networks


def function_map(function: Any, degree: int | None, data: tuple[Tensor, ...] = ()) -> FunctionMap:
    """W, rows of data ↦ p(W) as a margin map."""
    return FunctionMap(function, degree, data)


def network_map(network: torch.nn.Module, images: Tensor, labels: Tensor, degree: int | None, **options) -> NetworkMap:
    """A torch network on labelled images as a margin map."""
    return NetworkMap(network, images, labels, degree, options.pop("coupled", False), **options)


def network(options: dict[str, Any], channels: int, outputs: int, seed: int = 0, scale: float = 1.0):
    """The network of a study's options, its weights drawn; its degree, and whether its examples are coupled."""
    spec = models.from_options(options)
    made = models.create(spec, channels, outputs, torch.Generator().manual_seed(seed), scale)
    return made, spec.degree, spec.coupled


def homogeneity(margin_map: Any, weights: Tensor, scales: tuple[float, ...], seed: int) -> pd.DataFrame:
    """A row a scale: scale, degree, estimated_degree, deviation."""
    generator = torch.Generator().manual_seed(seed)
    return pd.DataFrame(_module("homogeneity").deviations(margin_map, weights, scales, generator))


def batch_gradient(margin_map: Any, loss: Any, arithmetic: str):
    """(weights, examples, ln_scale) ↦ the gradient of the batch's mean loss over e^ln_scale."""
    return _module("margins.batch").BatchGradient(margin_map, loss, arithmetic)


def robustness() -> ModuleType:
    """attacked, first_order, certified."""
    return _module("margins.robustness")


# training and flow


def trained(margin_map: Any, loss: str, **options):
    """States after each epoch of SGD from the map's own weights."""
    train = _module("options").Train(**options)
    return list(training.epochs(margin_map, losses.get(loss), train, training.start(margin_map.flatten(), seed=3)))


def followed(margin_map: Any, loss: str, start: Tensor, options: dict[str, Any], **stop) -> list:
    """Every event of a flow."""
    goals = _module("goals").Stop(**stop)
    spec = flow.from_options(options)
    return list(flow.follow(margin_map, losses.get(loss), spec, goals, flow.State.at_start(start.clone())))


def dual() -> ModuleType:
    """solve(a, b, start) → q, ln_q."""
    return _module("flow.dual")


def cut_dual() -> ModuleType:
    """solve(gram, values, owners, temperature) → q, converged."""
    return _module("flow.cut_dual")


def decompose(loss: str, degree: int, weights: Tensor, margins: Tensor, velocity: Tensor, rates: Tensor) -> list[dict]:
    """The flow's rates split: left, radial, spherical of each quantity."""
    rooms = _module("flow.rates")
    return rooms.decompose(losses.get(loss), degree, weights, margins, velocity, rates)


# measures, probes, problems


def polish(margin_map: Any, theta: Tensor):
    """Newton's method to a KKT point: certificate, distance, converged."""
    return _module("kkt.polish").polish(margin_map, theta)


def trajectory(steps: pd.DataFrame, at: np.ndarray, weights: Tensor, train: Any, test: Any, loss: str):
    """A followed run, as measures get it."""
    steps = steps.copy()
    steps.insert(1, "tau", np.log(steps["norm"] / steps["norm"].iloc[0]))
    training_table = pd.DataFrame({"epoch": [0, 1], "ln_risk": [3.0, -1.0], "norm": [5.0, 6.0]})
    return _module("measures").Trajectory(
        training=training_table.assign(train_error=[0.5, 0.0], test_error=[0.5, 0.25]),
        steps=steps,
        snapshot_steps=at,
        weights=weights,
        train=train,
        test=test,
        loss=losses.get(loss),
    )


def at_weights(point: Any, degree: int | None) -> dict[str, np.ndarray]:
    """Of a snapshot at W: margins p, ⟨W_k, v_k⟩, ‖W_k‖², ‖v_k‖², from those at unit norm."""
    scale, slope = np.exp(point.ln_scale), point.norm ** ((degree or 1) - 1)
    return {
        "margins": point.margins.flatten().numpy() * scale,
        "inner": point.inner * scale,
        "weights_squared": point.weights_squared * point.norm**2,
        "velocity_squared": point.velocity_squared * slope**2,
    }


@contextlib.contextmanager
def replaced(where: ModuleType, values: dict[str, Any]):
    """Within, a module's constants have other values."""
    from unittest import mock

    with mock.patch.multiple(where, **values):
        yield


def solved(options: dict[str, Any], seeds: list[int]) -> list:
    """A small problem's runs: tables and stop of each seed."""
    spec = problems.from_options(options)
    return module("problems", options["name"]).follow(spec, seeds)


def small_networks() -> ModuleType:
    """Fully connected networks on digits: Network, images, start, output, hidden, margin_map."""
    return _module("problems._dense")


# claims


def decay(tau: np.ndarray, travelled: np.ndarray, decades: float):
    """The fit of a tail."""
    return _module("claims.statistics").decay(tau, travelled, decades)


def secants(tau: np.ndarray, travelled: np.ndarray):
    """Middles, speeds and numbers of intervals."""
    return _module("claims.statistics").secants(tau, travelled)


def steepest(tau: np.ndarray, travelled: np.ndarray, decades: float) -> float:
    """The steepest that the speed certainly fell."""
    return _module("claims.statistics").steepest(tau, travelled, decades)


def largest_floor(tau: np.ndarray, travelled: np.ndarray, decades: float) -> float:
    """The largest limit of the speed."""
    return _module("claims.statistics").largest_floor(tau, travelled, decades)


def fall(tau: np.ndarray, values: np.ndarray, decades: float) -> tuple[float, float]:
    """How fast values fall."""
    return _module("claims.statistics").fall(tau, values, decades)


def line(x: np.ndarray, y: np.ndarray):
    """A straight line and its slope's interval."""
    return _module("claims.fits").line(x, y)


def rate(tau: np.ndarray, values: np.ndarray) -> tuple[float, float, float]:
    """How fast values fall exponentially."""
    return _module("claims.fits").rate(tau, values)


def exponent(tau: np.ndarray, zeta: np.ndarray, margin: np.ndarray, since: float):
    """Of a desingularizing function."""
    return _module("claims.desingularize").exponent(tau, zeta, margin, since)


def entry(name: str, thresholds: dict[str, float], runs: list[str], halved: str | None = None) -> dict[str, Any]:
    """An entry of a registry of claims."""
    written = {
        "part": "paper",
        "title": "A claim",
        "statement": "It is so.",
        "source": "here",
        "runs": runs,
        "rule": name,
        "thresholds": thresholds,
        "expected": "open",
        "figure": "path_length",
    }
    return {**written, "halved": halved} if halved else written


def verdict(
    name: str,
    values: dict[str, float],
    runs: list[tuple[str, dict[str, pd.DataFrame], dict[str, Any]]],
    halved: str | None = None,
) -> dict[str, Any]:
    """What `dirconv claim` says of a rule with these thresholds on runs given by folder, tables and manifest.

    verdict, statistic and each seed's outcome: verdict, value, low, high, reason.
    """
    names = list(dict.fromkeys(folder.partition("/")[0] for folder, _, _ in runs))
    judged = [run for run in names if run != halved]
    with tempfile.TemporaryDirectory() as root:
        registry, out = Path(root) / "claims.yaml", Path(root) / "verdict.json"
        registry.write_text(yaml.safe_dump({"claim": entry(name, values, judged + [halved] * bool(halved), halved)}))
        for folder, tables, record in runs:
            place = Path(root) / "measures" / folder
            rule = module("rules", name).RULE
            needed = [*rule.tables, *(table for table in rule.beside if table in tables)]
            for table in needed:
                artifacts.write_table(place / f"{table}.parquet", tables[table])
            artifacts.write_manifest(place, [f"{table}.parquet" for table in needed], record)
        measures = ["--registry", registry, "--measures", Path(root) / "measures", "--out", out]
        run("claim", *measures, "--claim", "claim", *(folder for folder, _, _ in runs))
        return artifacts.read_json(out)


def calibration() -> ModuleType:
    """cases(set), verdicts(table, thresholds), judge(table, thresholds)."""
    return _module("claims.calibration")


def judged_from_outside(table: pd.DataFrame, convergence: dict[str, float], alignment: dict[str, float]) -> list[dict]:
    """What `dirconv calibrate --cases` says: case, claim, verdict."""
    with tempfile.TemporaryDirectory() as root:
        registry, cases = Path(root) / "claims.yaml", Path(root) / "cases.parquet"
        claims = {"a": entry("direction", convergence, ["x"]), "b": entry("alignment", alignment, ["x"])}
        registry.write_text(yaml.safe_dump(claims))
        table.to_parquet(cases, index=False)
        return json.loads(run("calibrate", "--cases", cases, "--registry", registry))


def thresholds(name: str, values: dict[str, float]):
    """A rule's thresholds."""
    return module("rules", name).Thresholds(**values)


# figures


def drawn(name: str, runs: list[tuple[str, dict[str, pd.DataFrame], dict[str, Any]]]) -> pd.DataFrame:
    """The data that a figure shows, of runs given by folder, tables and manifest. No picture is written."""
    import matplotlib.pyplot as plt

    from dirconv.figures import Source, style

    chosen = module("figures", name)
    sources = [
        Source(folder, {table: tables[table] for table in chosen.FIGURE.tables_in(tables)}, record)
        for folder, tables, record in runs
    ]
    with style.applied():
        _, table = chosen.draw(sources)
    plt.close("all")
    return table


def style() -> ModuleType:
    """colours, sequence, kinds."""
    return _module("figures").style


def words() -> ModuleType:
    """number, interval: how the audit page writes them."""
    return _module("report._words")


# the command line


def run(*words: Any) -> str:
    """`dirconv WORDS` in this process; what it prints. AssertionError unless it succeeds."""
    from dirconv import cli

    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        code = cli.main([str(word) for word in words])
    assert code == 0, f"dirconv {words[0]}: exit code {code}\n{text.getvalue()}"
    return text.getvalue()


def resolved(study: Path, job: str, name: str, *more: Any) -> dict[str, Any]:
    """A job's specification."""
    return json.loads(run("resolve", "--study", study, "--job", job, "--name", name, *more))


def fields(value: Any) -> dict[str, float]:
    """The numbers of a dataclass or a named tuple."""
    numbers = value._asdict() if hasattr(value, "_asdict") else dataclasses.asdict(value)
    return {key: float(number) for key, number in numbers.items()}
