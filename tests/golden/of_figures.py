"""Golden runs of the figures: the data that each shows of made-up runs (tables.py). No picture is written."""

from __future__ import annotations

import functools
import io

import adapt
import numpy as np
import pandas as pd
from case import Numbers, golden
from tables import homogeneity, network_run, problem_run, record


@functools.cache
def networks() -> list:
    """Two seeds with a degree, one of them at half the tolerance as well, and a network without a degree."""
    return [
        network_run("alexnet", "converges", 0),
        network_run("alexnet", "open", 1),
        network_run("alexnet_half", "converges", 0, tolerance=0.025),
        network_run("densenet", "creeps", 0, degree=None),
    ]


@functools.cache
def problems(name: str) -> list:
    """Two seeds of one run of a problem, and one of another."""
    return [
        problem_run(name, "converges", 0, name),
        problem_run(name, "open", 1, name),
        problem_run(f"{name}_wide", "creeps", 0, name, width=16, dimension=3),
        problem_run(f"{name}_never", "circles", 1, name, width=32),
    ]


def checks() -> list:
    """Checks of the degree; their manifests have no flow."""
    found = []
    for run, model, degree, deviation in (
        ("alexnet", "alexnet", 6, 1e-15),
        ("alexnet_biased", "alexnet", 6, 0.4),
        ("densenet", "densenet", None, 1e-3),
    ):
        made = record(run, 0, model, degree, "logistic")
        found.append((f"{run}/homogeneity", {"homogeneity": homogeneity(degree, deviation)}, made))
    return found


def hats() -> list:
    """With τ up to where exponentials end."""
    found = []
    for seed in (0, 1):
        folder, tables, made = problem_run("mexican_hat", "creeps", seed, "mexican_hat")
        path = tables["path"].assign(tau=tables["spiral"]["tau"], tan=1 / (1 + tables["spiral"]["tau"]))
        found.append((folder, {**tables, "path": path}, made))
    return found


def probed() -> list:
    """Runs and their probes, which stand in folders of their own."""
    found = []
    for folder, tables, made in networks()[:2]:
        run, _, seed = folder.partition("/")
        found += [
            (folder, {"path": tables["path"]}, made),
            (f"{run}/degree-{seed}", {"degree": tables["degree"]}, made),
        ]
    return found


def certified() -> list:
    """Probes of KKT certificates."""
    return [(f"{f.partition('/')[0]}/kkt-{f.partition('/')[2]}", {"kkt": t["kkt"]}, made) for f, t, made in networks()]


def shown(name: str, runs) -> Numbers:
    """Columns of numbers of the figure's data: how many, their mean, their mean magnitude and a few of them."""
    table = adapt.drawn(name, runs())
    text = io.StringIO()
    table.to_csv(text, index=False, float_format="%.10g")  # as the stage writes it
    text.seek(0)
    table = pd.read_csv(text)
    found: Numbers = {"rows": float(len(table)), "columns": list(table.columns)}
    for column, values in table.items():
        if not pd.api.types.is_numeric_dtype(values) or values.dtype == bool:
            counts = values.astype(str).value_counts().sort_index()
            found[str(column)] = [f"{word} {count}" for word, count in counts.items()][:40]
            continue
        known = values.dropna().to_numpy(dtype=float)
        known = known[np.isfinite(known)]
        found[f"{column}: known"] = float(len(known))
        if len(known):
            found[f"{column}: mean"] = float(known.mean())
            found[f"{column}: magnitude"] = float(np.abs(known).mean())
            found[f"{column}"] = known[:: max(1, len(known) // 6)].tolist()
    if {"quantity", "value"} <= set(table.columns):
        values = pd.to_numeric(table["value"], errors="coerce")
        for quantity, group in values.groupby(table["quantity"]):
            found[f"{quantity}: mean value"] = float(group.mean())
    return found


SPEED, RATE, KAPPA = "tail_statistics", "fits", "desingularize"
DENSE = functools.partial(problems, "dense")
for name, runs, parts in (
    ("alignment", networks, ()),
    ("decomposition", networks, ()),
    ("desingularized", networks, (KAPPA, SPEED)),
    ("errors", networks, ()),
    ("homogeneity", checks, ()),
    ("integration", networks, ("halving",)),
    ("layer_alignment", networks, ()),
    ("margin_distribution", networks, ()),
    ("path_length", networks, (SPEED,)),
    ("risk", networks, ()),
    ("saliency", networks, ()),
    ("activations", DENSE, (SPEED,)),
    ("adaptations", networks, (SPEED,)),
    ("decomposition_problems", functools.partial(problems, "planar"), ()),
    ("deep_linear", functools.partial(problems, "deep_linear"), (RATE, SPEED)),
    ("descents", functools.partial(problems, "dense_descents"), ()),
    ("desingularized_problems", functools.partial(problems, "deep_linear"), (KAPPA, SPEED)),
    ("generalization", DENSE, ()),
    ("losses", functools.partial(problems, "dense_losses"), ()),
    ("lyu_li", DENSE, (SPEED,)),
    ("maps", functools.partial(problems, "homogeneous_map"), (SPEED,)),
    ("mexican_hat", hats, ()),
    ("kkt", certified, ()),
    ("residual", probed, ()),
    ("smooth_alignment", functools.partial(problems, "deep_linear"), (RATE, SPEED)),
    ("squared_relu", functools.partial(problems, "squared_relu"), ()),
    ("stabilization", DENSE, ("rule.stabilization",)),
    ("starts", DENSE, ()),
    ("surfaces", functools.partial(problems, "planar"), ()),
    ("widths", DENSE, ()),
):
    # ten digits are written; what deviates from a degree by rounding alone is a number here
    small = {"absolute": 0.0} if name == "homogeneity" else {}
    golden(f"figure.{name}", "figure_sources", *parts, relative=1e-8, **small)(functools.partial(shown, name, runs))


@golden("figure_style")
def of_figure_style() -> Numbers:
    """Colours; a picture's look beyond them is not recorded."""
    style = adapt.style()
    shades = {"runs": style.colours("abcdefghijkl").values(), "order": style.sequence(5), "kinds": style.kinds(9)}
    return {name: [float(channel) for shade in of for channel in shade] for name, of in shades.items()}


@golden("page")
def of_page() -> Numbers:
    """How numbers are written."""
    values = [None, 0, 12345, -3, 0.0, 1.23456, 1e-7, -2.5e12, 1 - 3e-6, 1e-3]
    words = adapt.words()
    intervals = [words.interval(1.0, 0.5, 2.0), words.interval(1.0, 1.0, 1.0), words.interval(None, None, None)]
    return {"numbers": [words.number(value) for value in values], "intervals": intervals}
