"""Every figure draws from tables of the measures' schema, whatever the study: one seed or several, with and without a
degree, with runs that never reach ℒ < ℓ(0). No torch, and the same bytes for the same tables."""

import functools
import io
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest

from dirconv.figures import POINTS, Source, path_length, positive, reached, style, thin
from dirconv.options import member, modules

# those of the reviewers' questions are tried in test_figures_of_reviewers.py
FIGURES = [name for name in modules("figures") if not hasattr(member("figures", name, ""), "CLAIMED")]
OF_NETWORKS = [name for name in FIGURES if not hasattr(member("figures", name, ""), "PROBLEMS")]
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
    """Measures of a made-up run: ln(1/ℒ) grows like e^(6τ), the direction slows down."""
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
    """What the default study shows."""
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


@functools.cache
def solved(kind):
    """A small problem, followed; the figures of problems are drawn from the tables that the stage writes."""
    options = {
        "deep_linear": {"depth": 2, "tau": 1.0},
        "squared_relu": {"neurons": 8, "examples": 8, "tau": 1.0},
        "planar": {"width": 8, "examples": 8, "tau": 0.5},
        "mexican_hat": {"points": 40},
    }[kind]
    module = member("problems", kind, "problem")
    spec = module.Spec(**options)
    return [
        Source(
            f"{kind}/seed{seed}",
            one.tables,
            {
                "specification": {
                    "run": kind,
                    "seed": seed,
                    "model": {"name": kind},
                    "problem": {"name": kind, **options},
                    "degree": spec.degree,
                    "loss": spec.loss,
                },
                "stop": one.stop,
            },
        )
        for seed, one in zip((0, 1), module.follow(spec, [0, 1]), strict=True)
    ]


def cases(name):
    kinds = getattr(member("figures", name, ""), "PROBLEMS", None)
    if kinds is not None:
        return {
            "one": lambda: solved(kinds[0])[:1],
            "several": lambda: [source for kind in kinds for source in solved(kind)],
        }
    return CHECKS if member("figures", name, "").TABLES == ("homogeneity",) else CASES


def draw(name, sources):
    """PNG bytes and table, as the stage makes them; only the tables that the figure declares."""
    module = member("figures", name, "")
    sources = [Source(s.member, {table: s.tables[table] for table in module.TABLES}, s.record) for s in sources]
    picture = io.BytesIO()
    with style.applied():
        figure, table = module.draw(sources)
        figure.savefig(picture, format="png", dpi=60, metadata={"Software": None})
    return picture.getvalue(), figure, table


def points(figure):
    """How many points the data lines of a figure have, and how many pictures (guides are grey or span the axes)."""
    on_lines = sum(len(line.get_xdata()) for axes in figure.axes for line in axes.lines if not is_guide(line))
    return on_lines + sum(not is_guide(picture) for axes in figure.axes for picture in axes.images)


def is_guide(line):
    return line.get_zorder() == style.GUIDE["zorder"]


@pytest.mark.parametrize(("name", "case"), [(name, case) for name in FIGURES for case in cases(name)])
def test_draws_what_its_table_holds(name, case):
    picture, figure, table = draw(name, cases(name)[case]())
    assert picture.startswith(b"\x89PNG")
    if hasattr(member("figures", name, ""), "PROBLEMS") or name == "desingularized":
        # surfaces, intervals, sums over neurons: not a point a row
        assert len(table) or name == "desingularized"
        assert np.isfinite(table["value"].dropna().astype(float)).all()
        return
    overlaid = int((table["deviation"] == 0).sum()) if "deviation" in table else 0  # exact zeros are marked twice
    assert points(figure) == len(table) + overlaid
    assert not table.drop(columns=["layer", "declared_degree"], errors="ignore").isna().any(axis=None)


@pytest.mark.parametrize("name", ["layer_alignment", "decomposition", "margin_distribution"])
def test_nine_networks_have_room(name):
    """No panel collapses, and no title runs into another."""
    sources = [source(f"network_{i}", steps=60, snapshots=4) for i in range(9)]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        _, figure, _ = draw(name, sources)
    titles = [axes.title if axes.get_title() else axes._left_title for axes in figure.axes]
    boxes = [title.get_window_extent() for title in titles if title.get_text()]
    assert len(boxes) >= 9
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i]), titles[i].get_text()


@pytest.mark.parametrize("name", FIGURES)
def test_same_tables_same_bytes(name):
    assert draw(name, cases(name)["several"]())[0] == draw(name, cases(name)["several"]())[0]


@pytest.mark.parametrize("name", OF_NETWORKS)
def test_curves_are_thinned(name):
    table = draw(name, cases(name)["several"]())[2]
    keys = [k for k in table.columns if table[k].dtype.kind != "f" and k not in ("step", "snapshot")]
    keys += [k for k in ("snapshot",) if name == "margin_distribution"]
    assert table.groupby(keys, dropna=False).size().max() <= POINTS


def test_thinning_keeps_ends_and_extremes():
    table = pd.DataFrame({"x": np.arange(5000.0)})
    table["y"] = np.where(table["x"] % 2 == 0, 1.0, -1.0)  # two branches, as where explicit steps overshoot
    table.loc[2345, "y"] = 9.0
    table.loc[100:200, "y"] = np.nan
    thinned = thin(table, "y")
    assert len(thinned) <= POINTS
    assert {0.0, 2345.0, 4999.0} <= set(thinned["x"])
    assert (thinned["y"] == 1).sum() > POINTS / 3 < (thinned["y"] == -1).sum()
    assert thin(table.head(POINTS), "y").equals(table.head(POINTS))


def test_secants_have_the_slope_of_the_speed():
    tau = np.linspace(0, 2, 4001)
    middle, speed, _ = path_length.secants(tau, tau**0.5)
    slope = np.polyfit(np.log(middle[-12:]), np.log(speed[-12:]), 1)[0]
    assert slope == pytest.approx(-0.5, abs=0.01)
    assert all(len(part) == 0 for part in path_length.secants(np.array([0.0, 1.0]), np.array([0.0, 1.0])))


def test_runs_above_the_start_are_left_out_except_where_they_are_the_point():
    shown = {name: set(draw(name, several())[2]["run"]) for name in FIGURES if cases(name) is CASES}
    assert {name for name, runs in shown.items() if "unfinished" in runs} == {"risk"}
    assert [s.run for s in reached(several(), "path")] == ["alexnet"] * 3 + ["densenet"] * 2


def test_flow_counts_from_where_the_risk_is_below():
    path = source(start=2.0).path
    assert path["tau"].iloc[0] == path["zeta"].iloc[0] == 0
    assert path["below"].all() and len(path) < 900


def test_zeros_are_marked_and_not_dropped():
    _, figure, table = draw("homogeneity", [check()])
    assert list(table["drawn_at"]) == [1e-15, 1e-17, 2e-16]
    assert any("exactly 0" in text.get_text() for text in figure.legends[0].get_texts())


def test_names_of_networks():
    assert source().network == "AlexNet"
    assert source(run="alexnet_biased").network == "AlexNet (biased)"
    assert unfinished().network == "AlexNet (unfinished)"


def test_positive_drops_what_no_logarithm_has():
    table = pd.DataFrame({"x": [0.0, 1.0, -1.0, np.nan], "y": 1.0})
    assert list(positive(table, "x", "y")["x"]) == [1.0]


@pytest.mark.parametrize("light", ["naming", "drawing"])
def test_no_torch_and_nothing_heavy_before_drawing(light):
    naming = "from dirconv.options import member, modules; names = modules('figures');"
    naming += "[member('figures', n, '').TABLES for n in names];"
    if light == "naming":
        code = naming + "banned = {'torch', 'matplotlib', 'seaborn', 'pandas'}"
    else:
        code = naming + "sys.path.insert(0, 'tests/unit'); import test_figures as t;"
        code += (
            "[t.draw(n, t.cases(n)['one']()) for n in t.OF_NETWORKS];"
            "banned = {'torch', 'dirconv.flow', 'dirconv.measures'}"
        )
    code = f"import sys; {code}; found = banned & set(sys.modules); assert not found, found"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_runs_that_differ_in_tolerance_alone_are_compared():
    one, half, other = source(), source(run="alexnet_half", angle=0.02), source(seed=1)
    for each, tolerance in ((one, 0.05), (half, 0.025), (other, 0.05)):
        each.record["specification"]["flow"] = {"method": "proximal", "tolerance": tolerance, "land": 0.25}
    with style.applied():
        _, table = member("figures", "integration", "figure").draw([one, half, other])
    angles = table[table["quantity"] == "angle"]
    assert set(angles["run"]) == {"alexnet"} and set(angles["seed"]) == {0}
    assert np.allclose(angles["value"], 0.02)
