"""What jobs that run a network share: the specification, threads and device, the margin maps, the checkpoint."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dirconv import artifacts, data, models
from dirconv.errors import UserError
from dirconv.margins.network import NetworkMap
from dirconv.provenance import machine, now, versions
from dirconv.stages._specification import code

IMAGE_CHANNELS = 3


def prepare(spec: dict[str, Any]) -> torch.device:
    """Fix what a result depends on besides its inputs: threads, deterministic kernels, no TF32; choose the device."""
    torch.set_num_threads(spec["threads"])
    torch.use_deterministic_algorithms(True)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    if spec["device"] == "cuda" and not torch.cuda.is_available():
        raise UserError("device: cuda was asked for but this machine has none; use device: auto or cpu")
    use_cuda = spec["device"] != "cpu" and torch.cuda.is_available()
    return torch.device("cuda" if use_cuda else "cpu")


def maps(spec: dict[str, Any], split_folder: Path, device: torch.device) -> tuple[NetworkMap, NetworkMap]:
    """The margin maps on training and on test images, with freshly initialized weights."""
    split = data.load(split_folder)
    dtype = getattr(torch, spec["precision"])
    x, y, x_test, y_test = split.tensors(dtype)
    model = models.from_options(spec["model"])
    generator = torch.Generator().manual_seed(spec["seed"])
    network = models.create(model, x.shape[1], spec["outputs"], generator, spec["scale"]).to(device, dtype)

    def place(images: torch.Tensor) -> torch.Tensor:
        return images.to(device).contiguous(memory_format=torch.channels_last)

    sizes = {key: spec[key] for key in ("chunk", "keep", "memory") if key in spec}
    train = NetworkMap(network, place(x), y.to(device), spec["degree"], model.coupled, **sizes)
    return train, train.on(place(x_test), y_test.to(device))


def provenance(stage: str, spec: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """What every manifest says of how its files came about."""
    where = machine(torch.cuda.get_device_name() if device.type == "cuda" else "cpu")
    return {
        "specification": spec,
        "code": code(stage, spec),
        "versions": versions(),
        "machine": where,
        "created": now(),
    }


class Timer:
    """Says when the next checkpoint is due. Results do not depend on when checkpoints are written.

    The environment variable DIRCONV_CHECKPOINT_SECONDS replaces the interval of 30 s.
    """

    def __init__(self) -> None:
        self._seconds = float(os.environ.get("DIRCONV_CHECKPOINT_SECONDS", 30.0))
        self._last = time.monotonic()

    def due(self) -> bool:
        """Whether the interval has passed since the last time that this was so."""
        if time.monotonic() - self._last < self._seconds:
            return False
        self._last = time.monotonic()
        return True


class Checkpoint:
    """A job's place to go on from after it was killed: outside its outputs, which Snakemake deletes.

    Its folder is named after a hash of specification, code and data, so another job can never go on from it. One
    file, replaced atomically, holds the state; snapshots lie beside it, written once each.
    """

    def __init__(self, root: Path, stage: str, spec: dict[str, Any], *inputs: Path) -> None:
        parts = [spec, code(stage, spec), *(artifacts.sha256(path) for path in inputs)]
        self.folder = Path(root) / artifacts.digest(artifacts.finite(parts))[:16]
        self._state = self.folder / "state.safetensors"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the checkpoint: a job that Snakemake lost track of may still be running."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = self.folder / "lock"
            lock.touch()
        except OSError as error:
            raise UserError(f"{self.folder}: cannot be written ({error.strerror}); make it writable") from error
        with open(lock) as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UserError(f"{self.folder}: another process is at this run; wait for it or end it") from error
            yield

    def save(self, tensors: dict[str, np.ndarray], record: dict[str, Any]) -> None:
        """Replace the state."""
        text = np.frombuffer(json.dumps(record).encode(), dtype=np.uint8)
        artifacts.write_tensors(self._state, {**tensors, "record": text})

    def load(self) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """The last state, or None where there is none; a damaged one counts as none."""
        if not self._state.exists():
            return None
        try:
            tensors = artifacts.read_tensors(self._state)
        except UserError:
            return None
        return tensors, json.loads(tensors.pop("record").tobytes())

    def snapshot(self, index: int) -> Path:
        """Where a snapshot lies until the trajectory is written."""
        return self.folder / f"snapshot-{index:04d}.safetensors"

    def remove(self) -> None:
        """Done: the outputs are written."""
        shutil.rmtree(self.folder, ignore_errors=True)
