"""The Mexican hat: its rates are those of the map, and its direction circles while the gradient aligns."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from evidence import verdict

from dirconv.claims import Verdict
from dirconv.problems import mexican_hat


def test_the_hat_is_followed_with_the_gradient_of_the_map(hat):
    """(R, δ, τ) against autograd of h in three dimensions."""
    spec, _ = hat

    def h(x: torch.Tensor) -> torch.Tensor:
        rho = x.norm()
        u, v = x[0] / rho, x[1] / rho
        square = u**2 + v**2
        c = 4 * square**2 / (4 * square**2 + (1 - square) ** 4)
        big_r = 1 / (1 - square)
        return rho**spec.degree * (1 - torch.exp(-big_r) * (1 - c * torch.sin(torch.atan2(v, u) - big_r)))

    for big_r, delta in ((2.5, 0.2), (3.3, -0.1), (5.0, 0.01)):
        phi, r = big_r + delta + math.pi / 2, math.sqrt(1 - 1 / big_r)
        at = torch.tensor([r * math.cos(phi), r * math.sin(phi), math.sqrt(1 - r * r)], dtype=torch.float64)
        gradient = torch.func.grad(h)(at)
        radial = float(gradient @ at)
        theta = ((gradient - radial * at) / radial).numpy()  # dθ/dτ
        u, v = at[0].item(), at[1].item()
        d_r = big_r**2 * 2 * (u * theta[0] + v * theta[1])
        d_phi = (u * theta[1] - v * theta[0]) / r**2
        rates = mexican_hat.rates(spec, np.array([big_r, delta * big_r**4, 0.0, 0.0]))
        tan = rates[3]
        assert np.linalg.norm(theta) == pytest.approx(tan, rel=1e-10)
        assert rates[0] * tan == pytest.approx(d_r, rel=1e-9)
        turned = (rates[1] - 4 * delta * big_r**3 * rates[0]) / big_r**4
        assert turned * tan == pytest.approx(d_phi - d_r, rel=1e-9)


def test_the_hat_circles_for_ever_and_aligns(hat):
    spec, followed = hat
    for one in followed:
        spiral, path = one.tables["spiral"], one.tables["path"]
        assert spiral["phi"].iloc[-1] - spiral["phi"].iloc[0] >= 2 * math.pi * 3
        late = spiral[spiral["R"] > 8]
        assert np.abs(late["phi"] - late["R"] - math.pi / 2).max() < 1e-3  # the valley
        assert verdict("control_mexican_hat", one, spec) == Verdict.CONTRADICTED
        assert verdict("control_mexican_hat_alignment", one, spec) == Verdict.SUPPORTED
        half = len(path) // 2
        assert spiral["squares"].iloc[-1] / spiral["squares"].iloc[half] < 1 + 1e-6  # finite
        assert path["zeta"].iloc[-1] / path["zeta"].iloc[half] > 1.8  # and not


def test_the_hat_does_not_depend_on_the_solvers_tolerance(hat):
    spec, followed = hat
    other = mexican_hat.follow(dataclasses.replace(spec, tolerance=1e-8), [0])[0]
    end, again = followed[0].tables["spiral"].iloc[-1], other.tables["spiral"].iloc[-1]
    assert again["tau"] == pytest.approx(end["tau"], rel=1e-6)
    assert again["zeta"] == pytest.approx(end["zeta"], rel=1e-8)
