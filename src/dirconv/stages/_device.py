"""Which device a job runs on: with several GPUs, one that no other job of this user has taken."""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path

import torch

from dirconv.errors import UserError

_held: list[int] = []  # open lock files: a device is this process's until it ends, however it ends


def choose(wanted: str) -> torch.device:
    """The device for `wanted` ("auto", "cpu" or "cuda"), taken by this process until it ends.

    Every job locks its GPU in a file named after the device's own identifier. Snakemake only counts GPUs; this is what
    keeps two jobs apart. Where all are taken the job waits for the first. CUDA_VISIBLE_DEVICES is respected.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise UserError("device: cuda was asked for but this machine has none; use device: auto or cpu")
    if wanted == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    locks = [_lock(index) for index in range(torch.cuda.device_count())]
    index = next((i for i, lock in enumerate(locks) if _take(lock, fcntl.LOCK_NB)), None)
    if index is None:
        index = 0
        _take(locks[0])
    torch.cuda.set_device(index)
    return torch.device("cuda", index)


def _lock(index: int) -> Path:
    name = torch.cuda.get_device_properties(index).uuid
    return Path(tempfile.gettempdir()) / f"dirconv-{os.getuid()}-gpu-{name}.lock"


def _take(path: Path, flags: int = 0) -> bool:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | flags)
    except BlockingIOError:
        os.close(handle)
        return False
    _held.append(handle)
    return True
