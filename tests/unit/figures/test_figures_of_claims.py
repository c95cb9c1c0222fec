"""Figures that show what claims read, from small real runs: whole, with one seed, with none at ℒ < ℓ(0)."""

import dataclasses

import numpy as np
import pytest
from figure_sources import CLAIMED, followed

from dirconv.figures import Source, _curves, starts, style
from dirconv.options import plugin

SMALL = {"width": 4, "examples": 8, "tolerance": 0.05}


@pytest.fixture(scope="module")
def runs():
    runs = {
        "soft_relu": followed("soft_relu", "dense", activation="soft_relu", tau=3.5, **SMALL),
        "linear": followed("linear", "dense", activation="linear", tau=3.5, **SMALL),
        "conflicting": followed("conflicting", "dense", conflicting=2, descent=10, **SMALL),
        "hat": followed("mexican_hat", "mexican_hat", seeds=[0]),
        "losses": followed("losses_linear", "dense_losses", activation="linear", tau=1.5, **SMALL),
        "maps": followed("tensor", "homogeneous_map", kind="tensor", tau=2.0),
        "descents": followed(
            "descents", "dense_descents", activation="soft_relu", tau=0.2, land=0.02, steps=60, **SMALL
        ),
    }
    for source in runs["soft_relu"]:  # attacks take seconds, and have tests of their own
        rows = source.tables["generalization"]
        radii = dict.fromkeys(("radius_attack_q25", "radius_attack_q50", "radius_first_order_q50"), rows["tau"] + 1)
        source.tables["generalization"] = rows.assign(**radii, radius_certified_q50=rows["tau"] / 2)
    paths, certificates = [], []
    for source in runs["soft_relu"]:
        specification = {**source.record["specification"], "run": "resnet", "model": {"name": "resnet"}}
        record = {**source.record, "specification": specification}
        snaps = source.tables["limit"][["snapshot", "step", "tau", "ln_risk", "norm"]]
        degrees = snaps.assign(degree_mean=7.5, degree_q05=7.0, degree_q50=7.5, degree_q95=8.0)
        paths.append(Source(f"resnet/seed{source.seed}", {"path": source.tables["path"]}, record))
        paths.append(Source(f"resnet/degree-seed{source.seed}", {"degree": degrees}, record))
        kkt = snaps.assign(margin=0.1, epsilon_relative=0.5 / (1 + snaps["tau"]), delta=1e-4, support=3)
        kkt = kkt.assign(epsilon=2 * kkt["epsilon_relative"])
        certificates.append(Source(f"alexnet/kkt-seed{source.seed}", {"kkt": kkt}, record))
    return {**runs, "residual": paths, "kkt": certificates}


OF = {
    "activations": ["soft_relu", "linear"],
    "adaptations": ["soft_relu", "linear"],
    "descents": ["descents"],
    "generalization": ["soft_relu"],
    "kkt": ["kkt"],
    "losses": ["losses"],
    "lyu_li": ["soft_relu", "hat"],
    "maps": ["maps"],
    "residual": ["residual"],
    "stabilization": ["soft_relu", "linear"],
    "starts": ["soft_relu", "conflicting"],
    "widths": ["soft_relu", "conflicting"],
}


def drawn(figure, chosen):
    with style.applied():
        picture, table = plugin("figures", figure, "").draw(chosen)
        picture.canvas.draw()
    return picture, table


def test_every_such_figure_is_tried_here():
    assert set(OF) == set(CLAIMED)


@pytest.mark.parametrize("figure", CLAIMED)
def test_it_draws_and_its_table_is_what_it_shows(runs, figure):
    chosen = [source for name in OF[figure] for source in runs[name]]
    picture, table = drawn(figure, chosen)
    module = plugin("figures", figure, "")
    assert list(table.columns) == list(module.COLUMNS) and len(table)
    assert set(table["run"]) <= {source.run for source in chosen} and table["seed"].nunique() == 2
    if "value" in table:
        known = table.groupby("quantity")["value"].apply(lambda values: np.isfinite(values).any())
        assert known.all()
    shown = [axes for axes in picture.axes if axes.lines or axes.collections]
    assert len(shown) >= len(picture.axes) - 1  # one panel may wait for a second run
    assert all(axes.get_title("left").startswith("(") for axes in picture.axes)


@pytest.mark.parametrize("figure", CLAIMED)
def test_it_draws_one_seed_of_one_run(runs, figure):
    chosen = [source for source in runs[OF[figure][0]] if source.seed == 0]
    _, table = drawn(figure, chosen)
    assert len(table)


@pytest.mark.parametrize("figure", [name for name in CLAIMED if name not in ("descents", "residual")])
def test_it_draws_where_nothing_has_come_below(runs, figure):
    chosen = []
    for source in runs[OF[figure][0]][:1]:
        tables = {
            name: table.assign(below=False) if "below" in table else table for name, table in source.tables.items()
        }
        for name in ("path", "limit", "generalization", "kkt", "losses"):
            if name in tables and "ln_risk" in tables[name]:
                tables[name] = tables[name].assign(ln_risk=1.0)
        chosen.append(Source(source.member, tables, source.record))
    drawn(figure, chosen)


def test_speeds_are_not_drawn_past_their_last_secant(runs):
    _, table = drawn("lyu_li", runs["soft_relu"][:1])
    shown = table[(table["quantity"] == "tan") & table["value"].notna()]
    known = _curves.path_speeds(runs["soft_relu"][0])
    assert known["tau"].min() <= shown["tau"].min() and shown["tau"].max() <= known["tau"].max()
    assert shown["value"].diff().iloc[-1] != 0


def test_intervals_without_a_change_of_sign_count_as_zero(runs):
    source = runs["soft_relu"][0]
    limit = source.tables["limit"]
    still = limit.assign(flips=limit["flips"].where(limit["flips"].isna(), 0.0))
    moved = limit.assign(flips=limit["flips"].where(limit["flips"].isna(), 0.5))
    pair = [dataclasses.replace(source, tables={**source.tables, "limit": table}) for table in (still, moved)]
    picture, _ = drawn("activations", pair)
    assert np.allclose(picture.axes[2].lines[0].get_ydata(), 0.25)


def test_what_has_left_the_path_is_an_open_circle(runs):
    changed = []
    for source in runs["descents"]:
        rows = source.tables["descents"]
        lost = rows["method"].isin(["gd", "ln_gd"])
        rows = rows.assign(ln_risk=rows["ln_risk"].mask(lost, 5.0))
        changed.append(dataclasses.replace(source, tables={**source.tables, "descents": rows}))

    def open_circles(sources):
        lines = drawn("descents", sources)[0].axes[0].lines
        return sum(len(line.get_xdata()) for line in lines if line.get_markerfacecolor() == "white")

    assert open_circles(changed) > open_circles(runs["descents"])


def test_times_to_an_unknown_limit_stand_apart(runs):
    _, table = drawn("stabilization", [*runs["soft_relu"], *runs["linear"]])
    for _, rows in table.groupby(["run", "seed"]):
        assert rows["known"].nunique() == 1
    assert {"distance", "ln_time", "steps"} == set(table["quantity"])


def test_plateaus_are_cut_off(runs):
    source = runs["conflicting"][0]
    late = source.tables["start"].assign(time=np.geomspace(0.1, 1e20, len(source.tables["start"])))
    _, table = drawn("starts", [dataclasses.replace(source, tables={**source.tables, "start": late})])
    assert table["time"].max() <= starts.MAX_TIME
