"""Rules about where runs start: from the start to the limit, to the assumption, to another surface, and over widths."""

import pandas as pd
import pytest
from evidence import CONTRADICTED, INCONCLUSIVE, REGISTRY, SUPPORTED, judged_claim, thresholds_of

from dirconv import artifacts
from dirconv.claims import Evidence, judging, registry
from dirconv.stages import claim as stage


@pytest.mark.parametrize(
    ("turned", "end", "verdict"),
    [(0.05, 2.0, SUPPORTED), (0.9, 2.0, CONTRADICTED), (0.2, 2.0, INCONCLUSIVE), (0.05, 0.5, INCONCLUSIVE)],
)
def test_start_to_limit(turned, end, verdict):
    limit = pd.DataFrame({"tau": [0.0, end], "to_start": [0.0, turned], "margin": [0.1, 0.2]})
    found = judged_claim("initial_risk", limit=limit)
    assert found.verdict == verdict and found.value == turned


@pytest.mark.parametrize(
    ("below", "steps", "verdict"), [(True, 50, SUPPORTED), (True, 2000, INCONCLUSIVE), (False, 50, CONTRADICTED)]
)
def test_classified(below, steps, verdict):
    start = pd.DataFrame(
        {"step": [0, steps], "below": [False, below], "time": [0.0, 3.0], "ln_risk": [2.0, 1.0],
         "smoothed_margin": [-1.0, 0.1], "train_error": [0.5, 0.1]}
    )  # fmt: skip
    found = judged_claim("initial_risk_reached", start=start)
    assert found.verdict == verdict and found.value == steps


@pytest.mark.parametrize(
    ("turned", "far", "tau", "verdict"),
    [
        (0.1, 0.1, 4.0, SUPPORTED),
        (0.001, 0.1, 4.0, CONTRADICTED),
        (0.1, 0.001, 4.0, CONTRADICTED),
        (0.03, 0.1, 4.0, INCONCLUSIVE),
        (0.1, 0.1, 0.5, INCONCLUSIVE),
    ],
)
def test_surface(turned, far, tau, verdict):
    table = pd.DataFrame({"tau": [0.0, tau], "to_start": [0.0, turned], "to_kernel": [0.2, far]})
    assert judged_claim("surface_keeps_changing", surfaces=table).verdict == verdict


# over widths


def of_width(width, time, below=True):
    tables = {
        "start": pd.DataFrame({"below": [False, below], "time": [0.0, time]}),
        "limit": pd.DataFrame({"margin": [0.1, 0.2]}),
    }
    return Evidence(tables, {"specification": {"problem": {"width": width}}})


@pytest.mark.parametrize(
    ("runs", "verdict"),
    [
        ([of_width(w, 10 / w) for w in (2, 4, 8, 16)], SUPPORTED),
        ([of_width(w, 10 * w) for w in (2, 4, 8, 16)], CONTRADICTED),
        ([of_width(w, t) for w, t in ((2, 1.0), (4, 2.0), (8, 1.0), (16, 1.5))], INCONCLUSIVE),
        ([of_width(2, 1.0, below=False), *(of_width(w, 10 / w) for w in (4, 8, 16))], INCONCLUSIVE),
        ([of_width(2, 1.0), of_width(4, 1.0, below=False), of_width(8, 1.0)], INCONCLUSIVE),
    ],
)
def test_width_slope(runs, verdict):
    rule = registry.rule("width_slope")
    assert judging.outcome(rule, runs, thresholds_of("overparameterization")).verdict == verdict


def test_a_rule_across_runs_answers_seed_by_seed(tmp_path):
    entry = REGISTRY["overparameterization"]
    members = []
    for name, width in (("width_2", 2), ("width_4", 4), ("width_8", 8), ("width_16", 16)):
        for seed in (3, 4):
            one = of_width(width, (10 / width) if seed == 3 else 10 * width)
            folder = tmp_path / name / f"seed{seed}"
            for table in ("start", "limit"):
                artifacts.write_table(folder / f"{table}.parquet", one.tables[table])
            artifacts.write_manifest(folder, ["start.parquet", "limit.parquet"], one.record)
            members.append(f"{name}/seed{seed}")
    found = stage.judge("overparameterization", entry, tmp_path, members)
    assert {seed: outcome["verdict"] for seed, outcome in found["seeds"].items()} == {
        "seed3": SUPPORTED,
        "seed4": CONTRADICTED,
    }
    assert found["verdict"] == CONTRADICTED and len(found["evidence"]) == 3 * 8
