"""The stage `claim`: which tables of which folders a verdict is made from."""

from pathlib import Path

import numpy as np
import pandas as pd

from dirconv import artifacts
from dirconv.claims import registry
from dirconv.stages import claim

REGISTRY = registry.load(Path(__file__).parents[3] / "config" / "claims.yaml")
RECORD = {"stop": "tau", "specification": {"run": "alexnet", "seed": 0, "degree": 6}}


def written(measures, member, **tables):
    for name, table in tables.items():
        artifacts.write_table(measures / member / f"{name}.parquet", table)
    artifacts.write_manifest(measures / member, [f"{name}.parquet" for name in tables], RECORD)


def test_tables_beside_a_runs_own_are_read_where_they_are_and_are_evidence(tmp_path):
    """A direction that moves at one speed, and a KKT residual that says it is a transient."""
    tau = 2 ** (np.arange(50) / 8) - 1
    path = pd.DataFrame({"tau": tau, "zeta": 0.2 * tau, "below": True})
    chords = pd.DataFrame({"snapshot": np.arange(50), "tau": tau, "zeta": 0.2 * tau, "speed": 0.2})
    falling = pd.DataFrame({"snapshot": np.arange(50), "tau": tau, "epsilon_relative": 0.5 / (1 + tau)})
    written(tmp_path, "alexnet/seed0", path=path, chords=chords)
    written(tmp_path, "alexnet/kkt-seed0", kkt=falling)
    written(tmp_path, "alexnet/seed1", path=path)

    def judged(*members):
        return claim.judge("direction_converges", REGISTRY["direction_converges"], tmp_path, list(members))

    alone, both = judged("alexnet/seed0"), judged("alexnet/seed0", "alexnet/kkt-seed0")
    assert (alone["verdict"], both["verdict"]) == ("contradicted", "inconclusive")
    assert "KKT" in both["reason"] and list(both["seeds"]) == ["alexnet/seed0"]
    files = [str(Path(item["path"]).relative_to(tmp_path)) for item in both["evidence"]]
    assert files == [
        *(f"alexnet/seed0/{name}" for name in ("path.parquet", "chords.parquet", "manifest.json")),
        *(f"alexnet/kkt-seed0/{name}" for name in ("kkt.parquet", "manifest.json")),
    ]
    assert "no chords" in judged("alexnet/seed1")["reason"]
