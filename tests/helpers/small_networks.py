"""Small convolutional networks, their margin maps, and runs along given weights."""

import numpy as np
import pandas as pd
import torch
from torch import nn

from dirconv import losses
from dirconv.margins.network import NetworkMap
from dirconv.measures import Trajectory


def convolutional(bias=False, norm=False, outputs=1):
    torch.manual_seed(2)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, bias=bias), *([nn.BatchNorm2d(4)] if norm else []), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 5, 3, bias=bias), nn.ReLU(), nn.Flatten(), nn.Linear(20, outputs, bias=bias),
    )  # fmt: skip


def network_map(network, degree, count=7, classes=2, **options):
    generator = torch.Generator().manual_seed(4)
    images = torch.randn(count, 2, 8, 8, generator=generator)
    labels = torch.arange(count) % classes
    return NetworkMap(network, images, 2.0 * labels - 1 if classes == 2 else labels, degree, chunk=3, **options)


LOGISTIC = losses.get("logistic")


def trajectory(found, weights, loss=LOGISTIC):
    """A run whose snapshots are all its steps."""
    margins = [found.values(w.double()) for w in weights]
    ln_risk = [float(loss.ln_risk(p)) for p in margins]
    norm = np.array([float(w.double().norm()) for w in weights])
    steps = pd.DataFrame(
        {
            "step": np.arange(len(weights)) * 10,
            "tau": np.log(norm / norm[0]),
            "zeta": 0.0,
            "ln_risk": ln_risk,
            "norm": norm,
            "cos": 0.5,
            "unnormalised_margin": [loss.inverse(each) for each in ln_risk],
        }
    )
    return Trajectory(pd.DataFrame(), steps, steps["step"].to_numpy(), torch.stack(weights), found, found, loss)
