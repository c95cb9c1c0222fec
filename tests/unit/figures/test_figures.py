"""What figures share: sources, thinned curves, bands over seeds, and the same bytes for the same tables."""

import numpy as np
import pandas as pd
import pytest
from figure_sources import OF_NETWORKS, OF_PROBLEMS, cases, draw, several, source, unfinished

from dirconv.figures import POINTS, exponential_tails, positive, separating, style, thin


@pytest.mark.parametrize("name", [*OF_NETWORKS, *OF_PROBLEMS])
def test_same_tables_same_bytes(name):
    assert draw(name, cases(name)["several"]())[0] == draw(name, cases(name)["several"]())[0]


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


def test_separating_runs_are_those_that_reach_the_start():
    assert [s.run for s in separating(several(), "path")] == ["alexnet"] * 3 + ["densenet"] * 2


def test_a_polynomial_tail_is_left_out():
    tailed = source(run="tailed")
    tailed.record["specification"]["loss"] = "polynomial"
    assert [s.run for s in exponential_tails([source(), tailed])] == ["alexnet"]


def test_flow_counts_from_where_the_risk_is_below():
    path = source(start=2.0).path
    assert path["tau"].iloc[0] == path["zeta"].iloc[0] == 0
    assert path["below"].all() and len(path) < 900


def test_names_of_networks():
    assert source().network == "AlexNet"
    assert source(run="alexnet_biased").network == "AlexNet (biased)"
    assert unfinished().network == "AlexNet (unfinished)"


def test_positive_drops_what_no_logarithm_has():
    table = pd.DataFrame({"x": [0.0, 1.0, -1.0, np.nan], "y": 1.0})
    assert list(positive(table, "x", "y")["x"]) == [1.0]


def test_a_step_size_that_two_seeds_lack_is_no_median():
    table = pd.DataFrame({"run": "a", "x": [1, 1, 1, 1, 2], "y": [1.0, 2.0, 3.0, 4.0, 100.0]})
    _, (axes,) = style.panels(1, 1, 2)
    style.band(axes[0], table, "x", "y", {"a": "C0"})
    assert axes[0].lines[0].get_xdata().tolist() == [1] and axes[0].lines[0].get_ydata().tolist() == [2.5]
