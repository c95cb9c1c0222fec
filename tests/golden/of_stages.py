"""Golden runs of every stage from end to end, as the command line has them, and of a user's own network."""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path

import adapt
import numpy as np
import pandas as pd
import torch
import yaml
from case import Numbers, golden
from maps import convolutional, digits
from of_measures import columns

from dirconv import artifacts
from dirconv.study import validate

# float64, so that nothing but torch's draw of the initial weights, in float32, differs between CPUs
STUDY = {
    "study": "golden",
    "device": "cpu",
    "data": {
        "digits": {"source": "digits", "classes": {"negative": [0], "positive": [1]}, "train": 16, "test": 10},
        "few": {"source": "digits", "classes": {"negative": [0], "positive": [1]}, "train": 8, "test": 4},
    },
    "runs": {
        "alexnet": {
            "data": "digits",
            "model": {"name": "alexnet", "width": 0.0625},
            "seeds": [0],
            "precision": "float64",
            "train": {"learning_rate": 0.05, "batch": 8},
            "flow": {"method": "proximal", "tolerance": 0.2},
            "stop": {"steps": 7},
            "snapshots_per_decade": 3,
            "probes": ["degree"],
        },
        "frozen": {
            "data": "few",
            "model": {"name": "densenet", "depth": 10, "growth": 2},
            "seeds": [3],
            "precision": "float64",
            # one epoch is not enough for ℒ < ℓ(0): the flow starts above it
            "train": {"learning_rate": 0.02, "batch": 4, "epochs": 1},
            "frozen": True,
            "flow": {"method": "descent", "tolerance": 1e-3},
            "stop": {"steps": 3},
            "chunk": 4,
        },
    },
    "problems": {"hat": {"problem": {"name": "mexican_hat", "turns": 1.0, "points": 30}, "seeds": [0]}},
}
CONVERGENCE = {"exponent": 1.0, "slow": 1.05, "remaining": 0.3, "tau": 1.0, "decades": 1.0}
CONVERGENCE |= {"slow_tau": 4.0, "slow_decades": 1.5}


@functools.cache
def ran() -> dict[str, Numbers]:
    """A few numbers of every artifact of a study, by stage."""
    with tempfile.TemporaryDirectory() as folder:
        return _ran(Path(folder))


def _ran(root: Path) -> dict[str, Numbers]:
    study, registry, results = root / "study.yaml", root / "claims.yaml", root / "results" / STUDY["study"]
    known = {
        "degree": adapt.entry("homogeneity", {"supported": 1e-6, "contradicted": 1e-3}, ["alexnet"]),
        "circles": adapt.entry("path_length", CONVERGENCE, ["hat"]),
    }
    registry.write_text(yaml.safe_dump(known))
    study.write_text(
        yaml.safe_dump(
            {**STUDY, "registry": str(registry), "results": str(results.parent), "figures_folder": str(root)}
        )
    )
    found: dict[str, Numbers] = {}

    def spec(job: str, name: str, *more) -> str:
        return json.dumps(adapt.resolved(study, job, name, *more))

    found["data"] = {}
    for name in STUDY["data"]:
        adapt.run("data", "--spec", spec("data", name), "--name", name, "--out", results / "data" / name)
        tensors = artifacts.read_tensors(results / "data" / name / "split.safetensors")
        found["data"][f"{name}: index"] = [float(i) for i in tensors["train_index"]]
        found["data"][f"{name}: pixels"] = float(tensors["train_images"].astype(float).mean())
    found["flow"], found["train"], found["homogeneity"], found["measure"] = {}, {}, {}, {}
    for name, seed in (("alexnet", 0), ("frozen", 3)):
        member, split = f"{name}/seed{seed}", results / "data" / STUDY["runs"][name]["data"]
        measures = results / "measures" / member
        check, start, trajectory = measures.parent / "homogeneity", root / "start" / member, root / "flow" / member
        adapt.run("homogeneity", "--spec", spec("homogeneity", name), "--out", check)
        rest = ["--checkpoints", root / "checkpoints", "--log", root / "log.txt"]
        job = ["--seed", seed]
        adapt.run(
            "train", "--spec", spec("train", name, *job), "--split", split, "--check", check, "--out", start, *rest
        )
        followed = spec("flow", name, *job)
        places = ["--split", split, "--start", start]
        adapt.run("flow", "--spec", followed, *places, "--out", trajectory, *rest)
        adapt.run("measure", "--spec", followed, *places, "--trajectory", trajectory, "--out", measures)
        table = artifacts.read_table(check / "homogeneity.parquet")
        found["homogeneity"][f"{name}: degrees"] = table["estimated_degree"].tolist()
        training = artifacts.read_table(start / "training.parquet")
        for column in ("epoch", "ln_risk", "norm", "train_error", "test_error"):
            found["train"][f"{name}: {column}"] = training[column].astype(float).tolist()[:8]
        steps = artifacts.read_table(trajectory / "steps.parquet")
        for column in ("step", "zeta", "ln_risk", "norm", "cos", "step_size", "unnormalised_margin"):
            found["flow"][f"{name}: {column}"] = steps[column].astype(float).tolist()[:8]
        found["flow"][f"{name}: stop"] = artifacts.read_manifest(trajectory)["stop"]
        snapshots = artifacts.read_tensors(trajectory / "snapshots.safetensors")
        found["flow"][f"{name}: kept"] = [float(step) for step in snapshots["steps"]]
        for table, column in (
            ("path", "smoothed_margin"), ("path", "tan"), ("direction", "angle_to_last"), ("layers", "cos"),
            ("margins", "by_risk"), ("errors", "test_error"), ("decomposition", "left"), ("saliency", "norm"),
        ):  # fmt: skip
            values = artifacts.read_table(measures / f"{table}.parquet")[column].to_numpy(dtype=float)
            values = values[np.isfinite(values)]
            found["measure"][f"{name}, {table}: {column}"] = [*values[:3].tolist(), *values[-3:].tolist()]
        for key, value in artifacts.read_manifest(measures)["summary"].items():
            found["measure"][f"{name}, summary: {key}"] = float(value)
    member, split = "alexnet/seed0", results / "data" / "digits"
    trajectory, start = root / "flow" / member, root / "start" / member
    places = ["--split", split, "--start", start, "--trajectory", trajectory]
    probed = spec("probe", "alexnet", "--seed", 0, "--probe", "degree")
    probe = results / "measures" / "alexnet" / "degree-seed0"
    adapt.run("probe", "--spec", probed, *places, "--out", probe)
    table = artifacts.read_table(probe / "degree.parquet")
    found["probe"] = {"degree": table["degree_mean"].tolist(), "tau": table["tau"].tolist()}
    adapt.run("problem", "--spec", spec("problem", "hat"), "--out", results / "measures" / "hat")
    hat = columns(artifacts.read_table(results / "measures" / "hat" / "seed0" / "path.parquet"))
    found["problem"] = {label: value for label, value in hat.items() if label.split(":")[0] in ("tau", "zeta", "tan")}
    found |= _judged(root, study, registry, results)
    return found


def _judged(root: Path, study: Path, registry: Path, results: Path) -> dict[str, Numbers]:
    """Claims, figures and the audit."""
    measures = results / "measures"
    found: dict[str, Numbers] = {"claim": {}}
    for claim, members in (("degree", ["alexnet/homogeneity"]), ("circles", ["hat/seed0"])):
        out = results / "claims" / f"{claim}.json"
        places = ["--registry", registry, "--measures", measures, "--out", out]
        adapt.run("claim", *places, "--claim", claim, *members)
        verdict = artifacts.read_json(out)
        found["claim"][f"{claim}: verdict"] = verdict["verdict"]
    found["claim"]["circles: value"] = verdict["statistic"]["value"]
    figure = root / STUDY["study"] / "path_length"
    adapt.run("figure", "--measures", measures, "--out", figure, "--figure", "path_length", "alexnet/seed0")
    shown = pd.read_csv(figure.with_suffix(".csv"))
    found["figure"] = {"rows": float(len(shown)), "mean": float(shown["value"].mean())}
    found["figure"]["written"] = [suffix for suffix in (".png", ".pdf") if figure.with_suffix(suffix).stat().st_size]
    resolved = validate.load(study)
    for name in sorted(set(resolved.figures) - {"path_length"}):  # the audit answers for all of them
        picture = Path(resolved.outputs("figure", name)[0]).with_suffix("")
        adapt.run("figure", "--measures", measures, "--out", picture, "--figure", name, *resolved.figures[name])
    artifacts.write_json(results / "calibration.json", {"scores": {}})
    adapt.run("audit", "--study", study)
    audit = artifacts.read_json(results / "audit.json")
    found["audit"] = {
        "claims": [f"{claim['id']} {claim['verdict']}" for claim in audit["claims"]],
        "runs": sorted(audit["runs"]),
        "problems": sorted(audit["problems"]),
        "against": [f"{claim['against']['relation']} {claim['against']['bound']:g}" for claim in audit["claims"]],
        "networks": [network["name"] for claim in audit["claims"] for network in claim["networks"].values()],
    }
    return found


# training goes over ReLU kinks for as many epochs as it takes, from weights that are equal to seven digits only
NETWORK = ("network.alexnet", "network.densenet", "densenet_layers", "initial_weights", "margin_map", "losses")
TRAIN = ("training", "batch_gradient", "data.digits", "split", *NETWORK)
FLOWS = ("flow", "flow.proximal", "flow.descent", "step_control", "point", "dual", *TRAIN)
MEASURES = ("path", "direction", "layers", "margins", "errors", "decomposition", "saliency", "sketch", "training")
for stage, parts in {
    "data": ("data.digits", "split"),
    "homogeneity": ("homogeneity", *NETWORK),
    "train": TRAIN,
    "flow": FLOWS,
    "measure": (*(f"measure.{name}" for name in MEASURES), "trajectory", "rates", *FLOWS),
    "probe": ("probe.degree", "trajectory", *FLOWS),
    "problem": ("problem.mexican_hat",),
    "claim": ("judging", "rule.homogeneity", "rule.direction", "tail_statistics", "problem.mexican_hat"),
    "figure": ("figure.path_length", "tail_statistics", "measure.direction", "measure.path", "trajectory", *FLOWS),
    "audit": ("judging", "rule.homogeneity", "rule.direction", "tail_statistics", "problem.mexican_hat"),
}.items():
    tolerance = {"data": 1e-9, "homogeneity": 1e-5, "problem": 1e-6, "claim": 1e-5}.get(stage, 1e-3)
    golden(*parts, name=f"stage.{stage}", relative=tolerance, absolute=1e-9)(lambda stage=stage: ran()[stage])


@golden("training", "batch_gradient", "homogeneity", *FLOWS[:6], "trajectory", "measure.path", "measure.direction",
        "measure.margins", "margin_map", "losses", name="own", relative=1e-7)  # fmt: skip
def of_own() -> Numbers:
    """A user's network, followed by `dirconv.own.follow`."""
    from dirconv.own import follow

    network = convolutional(4).double()
    with torch.no_grad():
        for i, parameter in enumerate(network.parameters()):
            values = np.random.default_rng(90 + i).normal(size=parameter.shape)
            parameter.copy_(torch.from_numpy(values) * (2 / parameter[0].numel()) ** 0.5)
    images, labels = digits(16)
    options = {"flow": {"method": "proximal", "tolerance": 0.1}, "learning_rate": 0.2, "batch": 8, "seed": 1}
    run = follow(network, images, labels, degree=2, steps=8, test=digits(8, skip=40), **options)
    found: Numbers = {"stop": str(run.stop), "direction": run.direction[::12].tolist()}
    for column in ("tau", "zeta", "cos", "ln_risk", "smoothed_margin"):
        found[column] = run.path[column].tolist()
    training = run.table("training")
    found["training"] = training["ln_risk"].tolist()
    found["errors"] = [*training["train_error"], *training["test_error"]]
    found["margins"] = run.margins["by_norm"].astype(float).tolist()[-16:]
    found["turned"] = run.table("direction")["angle_to_last"].tolist()
    return found
