"""Every measure where ‖W‖ = e^100 and more: by homogeneity its numbers are those at a small norm, or a known multiple.

s = ‖W‖^L is e^600 for degree 6, whose square overflows, and for degree 10 beyond float64 itself.
"""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from small_networks import LOGISTIC
from torch import nn

from dirconv import losses
from dirconv.flow.rates import decompose
from dirconv.margins.function import FunctionMap
from dirconv.margins.network import NetworkMap
from dirconv.measures import (
    Trajectory,
    chords,
    decomposition,
    direction,
    errors,
    layers,
    margins,
    path,
    saliency,
    sketch,
)
from dirconv.probes import degree as local_degree

TAU = 100.0
GROWTH = 0.3  # of ln‖W‖ between snapshots
SNAPSHOTS = 4


def relu_network(depth, dtype=torch.float64, outputs=1):
    """`depth` layers, so degree `depth`, on 2×4×4 images."""
    torch.manual_seed(3)
    widths = [32, *[12] * (depth - 1), outputs]
    made = [nn.Flatten()]
    for k in range(depth):
        made += [nn.Linear(widths[k], widths[k + 1], bias=False), nn.ReLU()]
    return nn.Sequential(*made[:-1]).to(dtype)


def classified(depth, dtype=torch.float64, outputs=1):
    """Margin maps on 6 images, all classified, and on 5 others, one misclassified; and directions θ (S, D)."""
    network = relu_network(depth, dtype, outputs)
    random = torch.Generator().manual_seed(4)
    images = torch.randn(40, 2, 4, 4, generator=random, dtype=torch.float64).to(dtype)
    found = NetworkMap(network, images, torch.ones(40, dtype=torch.float64), depth, chunk=4)
    start = found.flatten()
    theta = [start + 0.01 * k * start.norm() * direction_of(start, k) for k in range(SNAPSHOTS)]
    theta = torch.stack([each / each.norm() for each in theta])
    with torch.no_grad():
        logits = network(images).double()
    labels = logits[:, 0].sign() if outputs == 1 else logits.argmax(1)
    train = found.on(images, labels)
    least = torch.stack([train.values(each).amin(1) for each in theta]).amin(0)
    clear = least.argsort(descending=True)  # the same sign at all snapshots
    wrong = -labels if outputs == 1 else (labels + 1) % outputs
    at, others = clear[:6], clear[6:11]
    test_labels = torch.where(torch.arange(5) == 2, wrong[others], labels[others])
    return train.on(images[at], labels[at]), train.on(images[others], test_labels), theta


def direction_of(vector, seed):
    other = torch.randn(len(vector), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return other / other.norm()


def followed(train, test, theta, first, loss=LOGISTIC):
    """A run through these directions, ‖W‖ = e^first, e^(first + 0.3), …; snapshots are given at various lengths."""
    ln_norm = first + GROWTH * np.arange(len(theta))
    p = [train.precise().values(each) for each in theta]
    ln_scale = [train.degree * each for each in ln_norm]
    ln_risk = [float(loss.ln_risk(each, s)) for each, s in zip(p, ln_scale, strict=True)]
    steps = pd.DataFrame(
        {
            "step": np.arange(len(theta)) * 10,
            "tau": ln_norm - first,
            "evaluations": 1,
            "jacobians": 1,
            "zeta": 0.0,
            "ln_risk": ln_risk,
            "norm": np.exp(ln_norm),
            "cos": 0.5,
            "unnormalised_margin": [loss.inverse(each) for each in ln_risk],
            "landed": True,
            "ln_margin": [loss.ln_margin(each, s) for each, s in zip(p, ln_scale, strict=True)],
        }
    )
    lengths = torch.tensor([1.0, 3.0, 0.2, 7.0], dtype=torch.float64)
    return Trajectory(pd.DataFrame(), steps, steps["step"].to_numpy(), theta * lengths[:, None], train, test, loss)


def hard(train, theta, loss):
    """ln‖W‖ at which the softmin is the minimum to rounding: s times the smallest gap is 50."""
    p = torch.stack([train.precise().values(each).flatten().sort().values for each in theta])
    if loss.name == "polynomial":  # its weights have a limit where s min p is large
        return (60.0 - math.log(float(p[:, 0].min()))) / train.degree
    return math.log(50 / float(min((p[:, 1] - p[:, 0]).min(), p[:, 0].min()))) / train.degree


SCALED = {  # columns that grow: the powers of ‖W‖, as a function of the degree
    layers: {"layer_norm": lambda degree: 1},
    margins: {"by_last": lambda degree: degree - 1},
    saliency: {"norm": lambda degree: degree},
    decomposition: {"resolution": lambda degree: degree},
}
GIVEN = {"ln_risk", "norm", "unnormalised_margin", "ln_margin", "picture", "tau"}  # of the steps, as they are given


@pytest.mark.parametrize(
    ("depth", "dtype", "outputs", "loss"),
    [
        (6, torch.float64, 1, "logistic"),
        (6, torch.float32, 1, "exponential"),
        (6, torch.float64, 3, "cross_entropy"),
        (6, torch.float64, 1, "polynomial"),
        (10, torch.float64, 1, "logistic"),
        (10, torch.float32, 3, "exponential"),
    ],
)
@pytest.mark.parametrize(
    "measure",
    [layers, margins, saliency, decomposition, errors, direction, sketch, chords, path, local_degree],
    ids=lambda module: module.__name__.rpartition(".")[2],
)
def test_a_table_at_a_norm_of_e_to_the_100_is_the_one_at_a_small_norm(measure, depth, dtype, outputs, loss):
    loss = losses.get(loss)
    train, test, theta = classified(depth, dtype, outputs)
    low = hard(train, theta, loss)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        far = measure.table(followed(train, test, theta, TAU, loss))
    near = measure.table(followed(train, test, theta, low, loss))
    assert list(far) == list(near) and len(far) == len(near) > 0
    scaled = SCALED.get(measure, {})
    for name in far.columns.difference([*GIVEN, "ln_mean_test_loss"]):
        if not pd.api.types.is_numeric_dtype(far[name]):
            assert far[name].tolist() == near[name].tolist()
            continue
        a, b = far[name].to_numpy(dtype=float), near[name].to_numpy(dtype=float)
        ln_ratio = scaled[name](depth) * (TAU - low) if name in scaled else 0.0
        if measure is saliency and name == "norm":
            a, b = a[b > 0], b[b > 0]
        if ln_ratio:
            overflows = np.log(b) + ln_ratio > 709.78
            assert np.isinf(a[overflows]).all()
            np.testing.assert_allclose(np.log(a[~overflows]), np.log(b[~overflows]) + ln_ratio, rtol=0, atol=1e-6)
            continue
        assert np.isfinite(a).sum() == np.isfinite(b).sum() and not np.isinf(a).any()
        # float32 columns, and central differences of step 10⁻⁵; a difference of two rounded sides is rounding itself
        np.testing.assert_allclose(a, b, rtol=1e-6 if name != "difference" else 0, atol=1e-9)


@pytest.mark.parametrize("name", ["logistic", "exponential", "polynomial"])
@pytest.mark.parametrize("depth", [6, 10])
def test_the_test_loss_of_a_misclassified_image_grows_with_s(name, depth):
    """ln of the mean of ℓ(s p): ln s + ln|p| − ln n, or for the exponential loss s |p|, beyond float64 at degree 10."""
    loss = losses.get(name)
    train, test, theta = classified(depth)
    run = followed(train, test, theta, TAU, loss)
    found = errors.table(run)
    np.testing.assert_allclose(found["test_error"], 0.2)
    wrong = torch.stack([-test.values(each).min() for each in theta]).numpy()
    ln_s = depth * (TAU + GROWTH * np.arange(SNAPSHOTS))
    if name == "exponential":
        expected = np.exp(np.minimum(ln_s + np.log(wrong), 710.0))
        np.testing.assert_allclose(found["ln_mean_test_loss"], expected, rtol=1e-9)
        return
    expected = ln_s + np.log(wrong) - math.log(5) + (math.log(2) if name == "polynomial" else 0.0)
    np.testing.assert_allclose(found["ln_mean_test_loss"], expected, rtol=1e-12)


@pytest.mark.parametrize("degree", [6, 10])
@pytest.mark.parametrize("loss", ["exponential", "logistic"])
def test_the_rates_of_a_hard_minimum_are_those_of_its_one_margin(degree, loss):
    """p_i = ⟨a_i, θ⟩^L, q on the smallest: d ln ã/dτ = L tan² ∠, dζ/dτ = tan ∠ of ∇p there, with κ = 1, ã = min p."""
    rows = torch.tensor([[1.0, 0.3, 0.1], [1.0, -0.2, 0.4], [2.0, 0.5, 0.5]], dtype=torch.float64)
    found = FunctionMap(lambda w: ((rows @ w) ** degree)[:, None], degree)
    theta = torch.tensor([0.8, 0.6, 0.0], dtype=torch.float64)
    p, pullback = found.linearize(theta)
    smallest = int(p.argmin())
    ln_scale = degree * 104.0
    v = pullback(losses.get(loss).weights(p, ln_scale))
    forward = torch.func.jvp(found.function, (theta,), (v,))[1]
    rows_found = {row["quantity"]: row for row in decompose(losses.get(loss), degree, theta, p, v, forward, ln_scale)}
    cos = float(rows[smallest] @ theta / rows[smallest].norm())
    tan = math.sqrt(1 / cos**2 - 1)
    margin, length = rows_found["smoothed_margin"], rows_found["path_length"]
    assert margin["left"] == pytest.approx(degree * tan**2, rel=1e-12)
    assert margin["spherical"] == pytest.approx(degree * tan**2, rel=1e-12)
    assert margin["radial"] == pytest.approx(0.0, abs=1e-12)
    assert length["left"] == pytest.approx(tan, rel=1e-12) and length["spherical"] == pytest.approx(tan, rel=1e-12)


@pytest.mark.parametrize("degree", [6, 10])
def test_the_smoothed_margin_of_a_path_needs_neither_the_margin_nor_the_power_of_the_norm(degree):
    """Of a map without network or images: ã = ℓ⁻¹(ℒ)/‖W‖^L = min p(θ) − O(1/s)."""
    rows = torch.tensor([[1.0, 0.3], [1.0, -0.2], [2.0, 0.5]], dtype=torch.float64)
    found = FunctionMap(lambda w: ((rows @ w) ** degree)[:, None], degree)
    angle = torch.linspace(0.0, 0.3, SNAPSHOTS, dtype=torch.float64)
    theta = torch.stack([angle.cos(), angle.sin()], 1)
    run = followed(found, found, theta, TAU, losses.get("exponential"))
    table = path.table(run)
    assert np.isfinite(table["tan"]).all() and table["below"].all()
    np.testing.assert_allclose(
        table["smoothed_margin"], [float(found.values(each).min()) for each in theta], rtol=1e-12
    )
    np.testing.assert_allclose(chords.table(run)["chord"][1:], 0.1, rtol=1e-12)
    assert np.isfinite(sketch.table(run)["value"]).all() and np.isfinite(direction.table(run)["angle_to_last"]).all()


def test_steps_that_were_recorded_before_their_logarithms_were_are_still_read():
    train, test, theta = classified(6)
    run = followed(train, test, theta, 3.0)
    old = Trajectory(**{**vars_of(run), "steps": run.steps.drop(columns="ln_margin")})
    np.testing.assert_allclose(path.table(old)["smoothed_margin"], path.table(run)["smoothed_margin"], rtol=1e-12)
    pd.testing.assert_frame_equal(margins.table(old), margins.table(run))


def vars_of(run):
    names = ("training", "steps", "snapshot_steps", "weights", "train", "test", "loss")
    return {name: getattr(run, name) for name in names}


def test_a_snapshot_says_the_same_at_every_length():
    """Weights of a map with a degree are given up to a positive factor; the norm is the steps'."""
    train, test, theta = classified(6)
    run = followed(train, test, theta, 2.0)
    other = Trajectory(**{**vars_of(run), "weights": run.weights * 1e30})
    for measure in (layers, margins, saliency, decomposition):
        numbers = [measure.table(each).select_dtypes("number") for each in (run, other)]
        pd.testing.assert_frame_equal(*numbers, rtol=1e-6, atol=1e-12)
