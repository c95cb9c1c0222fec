"""The numbers behind the page's plots: those of the measures, from where ℒ < ℓ(0) on, and few enough."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_up_audit import made_up, measure

from dirconv import report
from dirconv.report._explore import POINTS, SHARES, SNAPSHOTS, explored


@pytest.fixture
def audit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    audit = made_up()
    measure(audit)
    return audit


def test_curves_begin_where_the_theorems_do(audit):
    data = explored(audit)
    assert [curve["name"] for curve in data["curves"]] == ["AlexNet, seed 0", "AlexNet, seed 1"]
    tau, cos = map(np.array, data["curves"][0]["cos"])
    # the first step has ℒ > ℓ(0): τ counts from the second, at 0.1
    assert tau[0] == 0 and tau[-1] == pytest.approx(4.9)
    assert cos == pytest.approx(1 - np.exp(-(tau + 0.1)), rel=1e-4)
    assert len(tau) <= POINTS


def test_margins_are_quantiles_at_each_shown_snapshot(audit):
    (margins,) = explored(audit)["margins"]
    assert margins["column"] == "by_norm"
    assert len(margins["tau"]) == SNAPSHOTS + 1 and margins["tau"][-1] == pytest.approx(4.9)
    for tau, quantiles in zip(margins["tau"], margins["quantiles"], strict=True):
        assert quantiles == pytest.approx((tau + 0.1) * (1 + 100 * SHARES), rel=1e-4)  # of 1 to 101, evenly spaced


def test_what_is_no_number_is_left_out_of_the_json(audit):
    path = Path(audit["results"], "measures", "alexnet/seed0", "path.parquet")
    pd.read_parquet(path).assign(tan=np.nan).to_parquet(path)  # undefined, where a run has no velocity
    data = json.loads(json.dumps(explored(audit), allow_nan=False))
    assert set(data["curves"][0]["tan"][1]) == {None}


def test_a_page_without_measures_has_no_plots(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    audit = made_up()
    assert explored(audit) is None
    assert "uPlot" not in report.html(audit) and "the-runs-in-plots" not in report.html(audit)


def test_the_library_is_there_once_with_its_licence_and_the_page_stays_small(audit):
    text = report.html(audit)
    assert text.count("var uPlot=") == text.count("Copyright (c) 2022 Leon Sorokin") - 1 == 1  # sheet and script
    pictures = sum(len(base64.b64encode(Path(claim["figure"]).read_bytes())) for claim in audit["claims"])
    assert len(text.encode()) - pictures < 200e3
