"""Stage `homogeneity`: has a network the degree that is declared for it? Written down, and enforced by training."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from dirconv import artifacts, models
from dirconv.errors import UserError
from dirconv.margins import homogeneity
from dirconv.margins.network import NetworkMap
from dirconv.stages import _job
from dirconv.stages._provenance import made_by

SCALES = (0.25, 0.5, 0.8, 1.25, 2.0, 4.0)  # c in f(cW) = c^L f(W)
TOLERANCE = 1e-6  # relative; a homogeneous network in float64 stays below 1e-12
IMAGES = 64
SIDE = 32


def run(spec: dict[str, Any], out: Path) -> None:
    """Write homogeneity.parquet (scale, degree, estimated_degree, deviation) and manifest.json to `out`.

    Homogeneity is a property of the network, not of data, so it is asked on standard normal images, in float64.
    """
    _job.prepare({"threads": 1, "device": "cpu"})
    generator = torch.Generator().manual_seed(spec["seed"])
    model = models.from_options(spec["model"])
    network = models.create(model, _job.IMAGE_CHANNELS, spec["outputs"], generator, spec["scale"]).double()
    images = torch.randn(IMAGES, _job.IMAGE_CHANNELS, SIDE, SIDE, generator=generator, dtype=torch.float64)
    two_classes = spec["outputs"] == 1
    labels = torch.ones(IMAGES, dtype=torch.float64) if two_classes else torch.zeros(IMAGES, dtype=torch.int64)
    margin_map = NetworkMap(network, images, labels, spec["degree"], model.coupled, chunk=IMAGES)
    table = pd.DataFrame(homogeneity(margin_map, margin_map.flatten(), SCALES, generator))
    artifacts.write_table(out / "homogeneity.parquet", table)
    artifacts.write_manifest(out, ["homogeneity.parquet"], {"specification": spec, "made_by": made_by("homogeneity", spec)})


def require(folder: Path, run_name: str) -> None:
    """Refuse to train a network whose declared degree its own check contradicts."""
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
