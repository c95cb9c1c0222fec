"""Torch's settings that the caller may have changed and that would move numbers, as they have to be meanwhile."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


def _multiplying() -> tuple:
    """The operations that may keep fewer bits of a float32 than it has: TF32 on a GPU, bfloat16 on a CPU."""
    backends = torch.backends
    return (
        *(backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn),
        *(backends.mkldnn.matmul, backends.mkldnn.conv, backends.mkldnn.rnn),
    )


@contextlib.contextmanager
def exact() -> Iterator[None]:
    """Without autocast, TF32 and bfloat16 in place of float32; with gradients; with float32 and the CPU by default.

    All is as it was afterwards.
    """
    settings = _multiplying()
    before, dtype = [setting.fp32_precision for setting in settings], torch.get_default_dtype()
    with contextlib.ExitStack() as stack:
        for device in ("cpu", "cuda"):
            stack.enter_context(torch.autocast(device, enabled=False))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        try:
            torch.set_default_dtype(torch.float32)
            for setting in settings:
                setting.fp32_precision = "ieee"
            yield
        finally:
            torch.set_default_dtype(dtype)
            for setting, was in zip(settings, before, strict=True):
                setting.fp32_precision = was
