"""Recorded kernels: on a CPU the function itself; on CUDA, where there is one, the numbers of the plain kernels."""

import pytest
import torch

from dirconv import losses, models
from dirconv.margins._captured import Captured
from dirconv.margins.batch import BatchGradient
from dirconv.margins.network import NetworkMap
from dirconv.stages import _job


def test_on_a_cpu_it_is_the_function_itself():
    calls = []
    captured = Captured(lambda *arguments: calls.append(arguments) or sum(arguments))
    one, two = torch.ones(3), torch.full((3,), 2.0)
    assert captured(one, two).tolist() == [3.0] * 3
    assert captured(two, two).tolist() == [4.0] * 3
    assert calls[0][0] is one and len(calls) == 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("arithmetic", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("options", "outputs"),
    [
        ({"name": "alexnet", "width": 0.25}, 1),
        ({"name": "alexnet", "width": 0.25}, 10),
        ({"name": "densenet", "depth": 10, "growth": 4}, 1),
    ],
)
def test_replayed_gradients_are_those_of_the_eager_kernels(options, outputs, arithmetic, monkeypatch):
    device = _job.prepare({"threads": 1, "device": "cuda"})
    spec = models.from_options(options)
    network = models.create(spec, 3, outputs, torch.Generator().manual_seed(0)).to(device)
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(40, 3, 32, 32, generator=generator).to(device).contiguous(memory_format=torch.channels_last)
    labels = torch.arange(40, device=device) % outputs if outputs > 1 else 2 * (torch.arange(40, device=device) % 2) - 1
    found = NetworkMap(network, images, labels, spec.degree, spec.coupled)
    loss = losses.get("cross_entropy" if outputs > 1 else "logistic")
    replayed = BatchGradient(found, loss, arithmetic)
    for scale, members, ln_scale in ((1.0, range(20), 0.0), (1.5, range(10, 30), -3.0), (0.7, range(15), 2.0)):
        arguments = (scale * found.flatten(), torch.tensor(list(members), device=device), ln_scale)
        got = replayed(*arguments).clone()
        with monkeypatch.context() as patched:
            patched.setenv("DIRCONV_CUDA_GRAPHS", "0")
            expected = BatchGradient(found, loss, arithmetic)(*arguments)
        torch.testing.assert_close(got, expected, rtol=0, atol=0)
