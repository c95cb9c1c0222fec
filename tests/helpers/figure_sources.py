"""Sources that figures are tried with: made-up tables of networks' runs, and small problems that are followed.

Nothing heavy is imported before it is needed: a test draws from these tables without torch.
"""

import dataclasses
import functools
import io

import numpy as np
import pandas as pd

from dirconv.figures import Source, style
from dirconv.options import modules, plugin

DECLARED = {name: plugin("figures", name, "").FIGURE for name in modules("figures")}
CLAIMED = [name for name, figure in DECLARED.items() if figure.claimed]
OF_PROBLEMS = [name for name, figure in DECLARED.items() if figure.problems and not figure.claimed]
OF_NETWORKS = [name for name in DECLARED if name not in CLAIMED and name not in OF_PROBLEMS]
LN_AT_ZERO = float(np.log(np.log(2.0)))
LAYERS = {
    "alexnet": [f"{i}.weight" for i in range(6)],
    "densenet": ["0.weight"]
    + [f"1.{i}.{kind}" for i in (0, 3) for kind in ("weight", "bias")]
    + ["1.2.weight", "1.5.weight", "2.weight", "2.bias", "4.weight", "5.weight", "5.bias", "9.weight", "9.bias"],
}


def source(
    run="alexnet",
    model="alexnet",
    seed=0,
    degree=6,
    steps=900,
    snapshots=12,
    start=LN_AT_ZERO - 0.01,
    end=0.6,
    angle=0.0,
):
    """Measures of a made-up run of a network: ln(1/ℒ) grows like e^(6τ), the direction slows down."""
    rng = np.random.default_rng(seed)
    tau = np.linspace(0, end, steps + 1)
    ln_risk = start - (np.exp(6 * tau) - 1)
    zeta = 0.4 * (1 - (1 + 3 * tau) ** -1.5) + 0.01 * seed * tau
    cos = 1 - 0.5 / (1 + 20 * tau) + 1e-3 * rng.standard_normal(steps + 1)
    norm = 10 * np.exp(tau)
    path = pd.DataFrame({"step": np.arange(steps + 1), "tau": tau, "zeta": zeta, "ln_risk": ln_risk, "norm": norm})
    path["cos"], path["tan"] = cos, np.sqrt(np.maximum(1 - cos**2, 0)) / cos
    path["smoothed_margin"] = -ln_risk / norm**degree if degree else np.nan
    path["cos_point"], path["landed"] = cos - 0.1, path["step"] % 100 == 0
    path["below"] = ln_risk < LN_AT_ZERO
    at = np.unique(np.geomspace(1, steps + 1, snapshots).astype(int) - 1)
    snaps = path.loc[at, ["step", "tau", "ln_risk", "norm"]].reset_index(drop=True)
    snaps.insert(0, "snapshot", np.arange(len(snaps)))
    angles = np.r_[np.nan, np.diff(zeta[at])]
    direction = snaps.assign(angle_from_previous=angles, angle_to_last=zeta[at][-1] - zeta[at])
    errors = snaps.assign(train_error=0.0, test_error=0.03 - 0.01 * tau[at], ln_mean_test_loss=-2.0)
    training = pd.DataFrame({"epoch": range(9), "ln_risk": 6.0, "norm": 10.0})
    training["train_error"], training["test_error"] = np.linspace(0.5, 0, 9), np.linspace(0.5, 0.03, 9)
    names = LAYERS[model]
    layers = snaps.merge(pd.DataFrame({"layer": names}), how="cross")
    layers["layer_norm"], layers["cos"] = 1.0, rng.uniform(-0.1, 1, len(layers))
    layers["weight_share"] = layers["gradient_share"] = 1 / len(names)
    margins = snaps[["snapshot", "tau", "ln_risk"]].merge(pd.DataFrame({"example": range(500)}), how="cross")
    p = -margins["ln_risk"] * (1 + rng.gamma(2, 1, len(margins)))
    margins["by_norm"] = (p / 1e6 if degree else np.nan) * np.ones(len(p))
    margins["by_risk"], margins["by_mean"], margins["by_last"] = p / -margins["ln_risk"], p / p.mean(), p / 3
    turned = (np.arange(4)[None, :] == 0) * np.cos(angle) + (np.arange(4)[None, :] == 1) * np.sin(angle)
    sketch = snaps[["snapshot", "tau"]].assign(landed=True).merge(pd.DataFrame({"bucket": range(4)}), how="cross")
    sketch["value"] = np.tile(turned[0], len(snaps))
    saliency = snaps[["snapshot", "tau", "ln_risk"]].merge(pd.DataFrame({"example": range(6)}), how="cross")
    saliency["moved"] = np.repeat(angles, 6) * rng.uniform(1, 3, len(saliency))
    saliency["to_last"], saliency["norm"] = np.repeat(direction["angle_to_last"].to_numpy(), 6), 2.0
    pixels = rng.integers(256, size=64).astype(np.uint8)
    saliency["picture"] = [pixels if example < 4 else None for example in saliency["example"]]
    decomposition = snaps.merge(pd.DataFrame({"quantity": ["smoothed_margin", "path_length"]}), how="cross")
    decomposition["resolution"], decomposition["difference"] = 1e-15 * -decomposition["ln_risk"], 1e-14
    decomposition["radial"] = np.where(decomposition["quantity"] == "smoothed_margin", 0.1, 0.0)
    decomposition["spherical"] = 1 / (1 + decomposition["tau"])
    decomposition["left"] = decomposition["radial"] + decomposition["spherical"]
    below = decomposition["ln_risk"] < LN_AT_ZERO
    tables = {
        "saliency": saliency,
        "decomposition": decomposition[below if degree else ~below & below],
        "sketch": sketch,
        "path": path,
        "direction": direction,
        "errors": errors,
        "training": training,
        "layers": layers,
    }
    specification = {
        "run": run,
        "seed": seed,
        "model": {"name": model},
        "degree": degree,
        "loss": "logistic",
        "flow": {"method": "descent"},
    }
    return Source(
        f"{run}/seed{seed}", {**tables, "margins": margins}, {"specification": specification, "stop": "steps"}
    )


def check(run="alexnet", degree=6, deviations=(1e-15, 0.0, 2e-16)):
    """A homogeneity check; its record has no flow and no loss."""
    table = pd.DataFrame({"scale": [0.25, 0.5, 2.0], "deviation": deviations})
    table["degree"] = table["estimated_degree"] = [5.9, 6.0, 6.1]
    specification = {"run": run, "seed": 0, "model": {"name": run.split("_")[0]}, "degree": degree}
    return Source(f"{run}/homogeneity", {"homogeneity": table}, {"specification": specification})


def unfinished(**options):
    return source(run="unfinished", start=6.0, end=0.01, steps=20, snapshots=1, **options)


def several():
    """As in the default study: seeds, a network without a degree, a run that never reaches ℒ < ℓ(0)."""
    return [
        *(source(seed=seed) for seed in range(3)),
        *(source("densenet", "densenet", seed, None, steps=150) for seed in range(2)),
        unfinished(),
    ]


CASES = {
    "one": lambda: [source()],
    "several": several,
    "no degree": lambda: [source("densenet", "densenet", degree=None)],
    "few steps": lambda: [source(steps=2, snapshots=2), source(run="one", steps=0, snapshots=1)],
    "starts above ℓ(0)": lambda: [source(start=2.0)],
    "never below ℓ(0)": lambda: [unfinished()],
}
CHECKS = {
    "one": lambda: [check()],
    "several": lambda: [check(), check("densenet", None), check("alexnet_biased", deviations=(1.0, np.nan, 1e3))],
    "nothing known": lambda: [check(degree=None, deviations=(np.nan,) * 3)],
}


def followed(run, kind, /, seeds=(0, 1), **options):
    """A small problem, followed by the stage's own code: a source a seed."""
    module = plugin("problems", kind, "problem")
    spec = module.Spec(**options)
    sources = []
    for seed, result in zip(seeds, module.follow(spec, list(seeds)), strict=True):
        specification = {
            "run": run,
            "seed": seed,
            "model": {"name": kind},
            "problem": {**dataclasses.asdict(spec), "name": kind},
            "degree": spec.degree,
            "loss": spec.loss,
        }
        record = {"specification": specification, "stop": result.stop, "files": {}}
        sources.append(Source(f"{run}/seed{seed}", result.tables, record))
    return sources


@functools.cache
def solved(kind):
    """Two seeds of a small problem whose answer is known."""
    options = {
        "deep_linear": {"depth": 2, "tau": 1.0},
        "squared_relu": {"neurons": 8, "examples": 8, "tau": 1.0},
        "planar": {"width": 8, "examples": 8, "tau": 0.5},
        "mexican_hat": {"points": 40},
    }[kind]
    return followed(kind, kind, **options)


def cases(name):
    """Lists of sources by what they try, for a figure of networks or of small problems."""
    kinds = DECLARED[name].problems
    if kinds:
        return {
            "one": lambda: solved(kinds[0])[:1],
            "several": lambda: [source for kind in kinds for source in solved(kind)],
        }
    return CHECKS if DECLARED[name].tables == ("homogeneity",) else CASES


def draw(name, sources):
    """PNG bytes, picture and table, as the stage makes them; only the tables that the figure declares."""
    module = plugin("figures", name, "")
    sources = [
        Source(s.member, {table: s.tables[table] for table in module.FIGURE.tables_in(s.tables)}, s.record)
        for s in sources
    ]
    png = io.BytesIO()
    with style.applied():
        picture, table = module.draw(sources)
        picture.savefig(png, format="png", dpi=60, metadata={"Software": None})
    return png.getvalue(), picture, table
