"""Stage `homogeneity`: does a network have its declared degree? The answer is recorded, and enforced by training."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from dirconv import artifacts, models
from dirconv.errors import UserError
from dirconv.homogeneity import SCALES, TOLERANCE, deviations
from dirconv.margins.network import NetworkMap
from dirconv.stages import _job, _output

IMAGES = 64
SIDE = 32


def run(spec: dict[str, Any], out: Path) -> None:
    """Write homogeneity.parquet (scale, degree, estimated_degree, deviation) and manifest.json to `out`.

    Homogeneity is a property of the network and not of data, so it is checked on standard normal images, in float64.
    """
    _job.prepare({"threads": 1, "device": "cpu"})
    generator = torch.Generator().manual_seed(spec["seed"])
    model = models.from_options(spec["model"])
    network = models.create(model, _job.IMAGE_CHANNELS, spec["outputs"], generator, spec["scale"], SIDE).double()
    images = torch.randn(IMAGES, _job.IMAGE_CHANNELS, SIDE, SIDE, generator=generator, dtype=torch.float64)
    two_classes = spec["outputs"] == 1
    labels = torch.ones(IMAGES, dtype=torch.float64) if two_classes else torch.zeros(IMAGES, dtype=torch.int64)
    margin_map = NetworkMap(network, images, labels, spec["degree"], model.coupled, chunk=IMAGES)
    table = pd.DataFrame(deviations(margin_map, margin_map.flatten(), SCALES, generator))
    _output.write(out, {"homogeneity.parquet": table}, spec, made_by=_output.made_by("homogeneity", spec))


def require(folder: Path, run_name: str) -> None:
    """UserError if the check in `folder` contradicts the degree that the network declares."""
    degree = artifacts.read_manifest(folder)["specification"]["degree"]
    if degree is None:
        return
    table = artifacts.read_table(folder / "homogeneity.parquet")
    worst = table.loc[table["deviation"].fillna(math.inf).idxmax()]
    if not worst["deviation"] <= TOLERANCE:
        raise UserError(
            f"runs.{run_name}: declared homogeneous of degree {degree}, but f(cW) differs from c^{degree} f(W) by "
            f"{worst['deviation']:.2g} (relative) at c = {worst['scale']:g}; remove its biases and normalization, "
            "or declare no degree"
        )
