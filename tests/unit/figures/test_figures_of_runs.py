"""Figures of networks draw from tables of the measures' schema, whatever the study: one seed or several, with and
without a degree, with runs that never reach ℒ < ℓ(0)."""

import warnings

import numpy as np
import pytest
from figure_sources import CASES, OF_NETWORKS, cases, check, draw, several, source

from dirconv.figures import POINTS, style


def points(picture):
    """How many points the data lines of a picture have, and how many images (guides have their own zorder)."""
    on_lines = sum(len(line.get_xdata()) for axes in picture.axes for line in axes.lines if not is_guide(line))
    return on_lines + sum(not is_guide(image) for axes in picture.axes for image in axes.images)


def is_guide(line):
    return line.get_zorder() == style.GUIDE["zorder"]


@pytest.mark.parametrize(("name", "case"), [(name, case) for name in OF_NETWORKS for case in cases(name)])
def test_draws_what_its_table_holds(name, case):
    png, picture, table = draw(name, cases(name)[case]())
    assert png.startswith(b"\x89PNG")
    if name == "desingularized":  # intervals: not a point a row
        assert np.isfinite(table["value"].dropna().astype(float)).all()
        return
    overlaid = int((table["deviation"] == 0).sum()) if "deviation" in table else 0  # exact zeros are marked twice
    assert points(picture) == len(table) + overlaid
    assert not table.drop(columns=["layer", "declared_degree"], errors="ignore").isna().any(axis=None)


@pytest.mark.parametrize("name", ["layer_alignment", "decomposition", "margin_distribution"])
def test_nine_networks_have_room(name):
    """No panel collapses, and no title runs into another."""
    sources = [source(f"network_{i}", steps=60, snapshots=4) for i in range(9)]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        _, picture, _ = draw(name, sources)
    titles = [axes.title if axes.get_title() else axes._left_title for axes in picture.axes]
    boxes = [title.get_window_extent() for title in titles if title.get_text()]
    assert len(boxes) >= 9
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i]), titles[i].get_text()


@pytest.mark.parametrize("name", OF_NETWORKS)
def test_curves_are_thinned(name):
    table = draw(name, cases(name)["several"]())[2]
    keys = [k for k in table.columns if table[k].dtype.kind != "f" and k not in ("step", "snapshot")]
    keys += [k for k in ("snapshot",) if name == "margin_distribution"]
    assert table.groupby(keys, dropna=False).size().max() <= POINTS


def test_runs_above_the_start_are_left_out_except_where_they_are_the_point():
    shown = {name: set(draw(name, several())[2]["run"]) for name in OF_NETWORKS if cases(name) is CASES}
    assert {name for name, runs in shown.items() if "unfinished" in runs} == {"risk"}


def test_zeros_are_marked_and_not_dropped():
    _, picture, table = draw("homogeneity", [check()])
    assert list(table["drawn_at"]) == [1e-15, 1e-17, 2e-16]
    assert any("exactly 0" in text.get_text() for text in picture.legends[0].get_texts())


def test_runs_that_differ_in_tolerance_alone_are_compared():
    full, half, other = source(), source(run="alexnet_half", angle=0.02), source(seed=1)
    for each, tolerance in ((full, 0.05), (half, 0.025), (other, 0.05)):
        each.record["specification"]["flow"] = {"method": "proximal", "tolerance": tolerance, "land": 0.25}
    _, _, table = draw("integration", [full, half, other])
    angles = table[table["quantity"] == "angle"]
    assert set(angles["run"]) == {"alexnet"} and set(angles["seed"]) == {0}
    assert np.allclose(angles["value"], 0.02)
