"""The device that a job runs on: with several GPUs, one that no other job of this user holds."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import torch

from dirconv.errors import UserError
from dirconv.stages import _lock

WAIT = 5.0  # seconds between looks, while all are taken

_held: dict[int, int] = {}  # device → open lock file, which this process holds until it ends


def choose(device: str) -> torch.device:
    """The torch device for the key `device` ("auto", "cpu" or "cuda"), held by this process until it ends.

    Snakemake only counts GPUs. What keeps two jobs apart is a lock on a file named after the device's identifier. If
    all GPUs are held, the job waits. CUDA_VISIBLE_DEVICES is respected.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("device: cuda was asked for but this machine has none; use device: auto or cpu")
    if device == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    waited = False
    while not _held:
        if not any(_take(index) for index in range(torch.cuda.device_count())):
            if not waited:
                print("every GPU is taken by another job; waiting for one", file=sys.stderr, flush=True)
            waited = True
            time.sleep(WAIT)
    (index,) = _held
    torch.cuda.set_device(index)
    return torch.device("cuda", index)


def _take(index: int) -> bool:
    name = torch.cuda.get_device_properties(index).uuid
    path = Path(tempfile.gettempdir()) / f"dirconv-{os.getuid()}-gpu-{name}.lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    if not _lock.taken(handle, str(path)):
        os.close(handle)
        return False
    _held[index] = handle
    return True
