"""What stages write: a folder of tables and tensors whose manifest says how they came about."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dirconv import artifacts, numerics, provenance

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def made_by(stage: str, spec: dict[str, Any], *inputs: dict[str, Any], device: str = "cpu") -> dict[str, Any]:
    """`made_by` of a job of the stage; `inputs`: the manifests of what it read, whose parts it went through too."""
    versions = numerics.oldest(numerics.of_stage(stage, spec), *(read["made_by"]["numerics"] for read in inputs))
    return provenance.made_by(versions, device, spec.get("threads", 1))


def write(
    folder: Path, files: Mapping[str, pd.DataFrame | dict[str, np.ndarray]], spec: dict[str, Any], **record: Any
) -> None:
    """Write the files, tables and named tensors, and then the manifest with `record`."""
    for name, content in files.items():
        write_file = artifacts.write_table if name.endswith(".parquet") else artifacts.write_tensors
        write_file(folder / name, content)
    artifacts.write_manifest(folder, list(files), {"specification": spec, **record})


def summary(path: pd.DataFrame) -> dict[str, float]:
    """Where a run came to, for the audit's table of runs: the last row of its table `path`."""
    end = path.iloc[-1]
    return {
        "steps": int(end["step"]),
        "evaluations": int(end["evaluations"]),
        "log10_risk": float(end["ln_risk"]) / math.log(10),
        **{name: float(end[name]) for name in ("tau", "zeta", "cos")},
    }
