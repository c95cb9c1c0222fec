"""Convolutions in bfloat16: the products of patches give what torch's own backward gives, up to bfloat16's rounding."""

import pytest
import torch
from torch import nn

from dirconv.margins import _convolutions

ROUNDING = 2.0**-8  # of one number


def gradients(network, images, seed=1):
    images = images.clone().requires_grad_()
    out = network(images).float()
    towards = torch.randn(out.shape, generator=torch.Generator().manual_seed(seed))
    return [out.detach(), *torch.autograd.grad(out, [images, *network.parameters()], towards)]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    ("inputs", "outputs", "side", "options"),
    [
        (3, 8, 32, {"kernel_size": 11, "stride": 4, "padding": 5}),  # 8 × 8 positions: patches
        (6, 5, 2, {"kernel_size": 3, "padding": 1}),
        (6, 5, 4, {"kernel_size": 5, "padding": 2}),
        (4, 7, 7, {"kernel_size": (3, 1), "stride": (2, 1), "padding": (0, 2)}),
        (6, 5, 8, {"kernel_size": 1}),
        (6, 5, 12, {"kernel_size": 3, "padding": 1}),  # 144 positions: torch's own
    ],
)
def test_gradients_are_those_of_the_convolution(inputs, outputs, side, options, bias):
    torch.manual_seed(0)
    exact = nn.Sequential(nn.Conv2d(inputs, outputs, bias=bias, **options))
    images = torch.randn(9, inputs, side, side)
    near = _convolutions.bfloat16(exact)
    assert type(near[0]) is _convolutions.Patched and type(exact[0]) is nn.Conv2d
    both = list(zip(gradients(near, images), gradients(exact, images), strict=True))
    assert not torch.equal(*both[0])  # it did compute in bfloat16
    for found, expected in both:
        assert found.shape == expected.shape
        assert float((found - expected).norm() / expected.norm()) < 2 * ROUNDING


def test_both_ways_to_the_weights_gradient_agree(monkeypatch):
    torch.manual_seed(0)
    near = _convolutions.bfloat16(nn.Sequential(nn.Conv2d(6, 5, 3, padding=1)))
    images = torch.randn(9, 6, 6, 6)
    by_patches = gradients(near, images)
    monkeypatch.setattr(_convolutions, "POSITIONS", 0)
    for one, other in zip(by_patches, gradients(near, images), strict=True):
        torch.testing.assert_close(one, other, rtol=2 * ROUNDING, atol=2 * ROUNDING * float(other.abs().max()))


def test_what_patches_cannot_serve_is_left_to_torch():
    network = nn.Sequential(nn.Conv2d(4, 4, 3, groups=2), nn.Conv2d(4, 4, 3, dilation=2), nn.Conv2d(4, 4, 3))
    assert [type(module) for module in _convolutions.bfloat16(network)] == [nn.Conv2d, nn.Conv2d, _convolutions.Patched]
    assert all(type(module) is nn.Conv2d for module in network)
