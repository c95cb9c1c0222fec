"""What jobs that run a network share: threads and device, the margin maps, the time limit, the checkpoint."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dirconv import artifacts, data, models, numerics
from dirconv.errors import UserError
from dirconv.margins.network import NetworkMap
from dirconv.stages import _device, _lock
from dirconv.stages._progress import Progress

IMAGE_CHANNELS = 3
Saved = tuple[dict[str, np.ndarray], dict[str, Any]]  # a checkpoint's tensors and its record
FORMAT = 2  # of a checkpoint's tensors and record
SHARD = 15 * 2**20  # bytes of tensors in one file of a checkpoint: 16 MiB with its header, and some room


def prepare(spec: dict[str, Any]) -> torch.device:
    """Fix what a result depends on besides its inputs: threads, deterministic kernels, no TF32. Returns the device."""
    torch.set_num_threads(spec["threads"])
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # costs a pass over every result; nothing reads it
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    return _device.choose(spec["device"])


def maps(spec: dict[str, Any], split_folder: Path, device: torch.device) -> tuple[NetworkMap, NetworkMap]:
    """The margin maps on training and on test images, with freshly initialized weights."""
    split = data.load(split_folder)
    dtype = getattr(torch, spec["precision"])
    x, y, x_test, y_test = split.tensors(dtype)
    model = models.from_options(spec["model"])
    generator = torch.Generator().manual_seed(spec["seed"])
    network = models.create(model, x.shape[1], spec["outputs"], generator, spec["scale"], side=x.shape[-1])
    network = network.to(device, dtype)

    def place(images: torch.Tensor) -> torch.Tensor:
        # what cuDNN's kernels want; on a CPU it is slower, the weights being laid out otherwise
        layout = torch.channels_last if device.type == "cuda" else torch.contiguous_format
        return images.to(device).contiguous(memory_format=layout)

    sizes = {key: spec[key] for key in ("chunk", "keep", "memory") if key in spec}
    train = NetworkMap(network, place(x), y.to(device), spec["degree"], model.coupled, **sizes)
    return train, train.on(place(x_test), y_test.to(device))


def start(folder: Path, device: torch.device) -> torch.Tensor:
    """The weights (D,) at which the flow starts, from the folder that training wrote."""
    return torch.from_numpy(artifacts.read_tensors(folder / "start.safetensors")["weights"]).to(device)


def in_words(device: torch.device) -> str:
    """The device's name, for a manifest."""
    return torch.cuda.get_device_name() if device.type == "cuda" else "cpu"


class Timer:
    """Says when the next checkpoint is due and when the time limit is reached. Results depend on neither.

    seconds: time limit; rerun the same command to resume. None: no limit. The environment variable
    DIRCONV_CHECKPOINT_SECONDS replaces the interval of 30 s between checkpoints.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self._interval = float(os.environ.get("DIRCONV_CHECKPOINT_SECONDS", 30.0))
        self._end = math.inf if seconds is None else time.monotonic() + seconds
        self._last = time.monotonic()

    def up(self) -> bool:
        """Whether the time limit is reached."""
        return time.monotonic() >= self._end

    def due(self) -> bool:
        """Whether the interval has passed since this was last true, or the time limit is reached."""
        if time.monotonic() - self._last < self._interval and not self.up():
            return False
        self._last = time.monotonic()
        return True


@contextlib.contextmanager
def resumable(
    checkpoints: Path, stage: str, spec: dict[str, Any], log: Path, *inputs: Path
) -> Iterator[tuple[Checkpoint, Progress, Saved | None]]:
    """The job's checkpoint, held alone, its progress, and the state that it resumes from."""
    checkpoint = Checkpoint(checkpoints, stage, spec, *inputs)
    with checkpoint.locked():
        progress = Progress(f"{stage} {spec['run']}/seed{spec['seed']}", log, checkpoint.folder / "history.txt")
        try:
            yield checkpoint, progress, checkpoint.load()
        finally:
            progress.close()


class Checkpoint:
    """What a killed job resumes from. It lies outside the job's outputs, which Snakemake deletes.

    Its folder is named after a hash of specification, declared versions and inputs, so that no other job can resume it.
    The state lies in shards of at most `SHARD` bytes, so that it can be carried where single files are limited;
    state.json, replaced atomically, names them with their checksums. Snapshots lie beside it, written once each.
    """

    def __init__(self, root: Path, stage: str, spec: dict[str, Any], *inputs: Path) -> None:
        parts = [FORMAT, spec, numerics.of_stage(stage, spec), *(artifacts.sha256(path) for path in inputs)]
        self.folder = Path(root) / artifacts.digest(artifacts.finite(parts))[:16]
        self._state = self.folder / "state.json"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the checkpoint alone: a job that Snakemake lost track of may still be running."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = self.folder / "lock"
            lock.touch()
        except OSError as error:
            raise UserError(f"{self.folder}: cannot be written ({error.strerror}); make it writable") from error
        with open(lock, "rb") as handle:
            if not _lock.taken(handle.fileno(), str(self.folder)):
                raise UserError(f"{self.folder}: another process works on this run; wait for it or end it")
            yield

    def save(self, tensors: dict[str, np.ndarray], record: dict[str, Any]) -> None:
        """Replace the state. Older shards, and those of a save that was killed, are deleted once the new are named."""
        try:
            before = artifacts.read_json(self._state)["shards"]
        except UserError:  # none, or damaged
            before = {}
        turn = "b" if any(name.startswith("a-") for name in before) else "a"
        saved = self._write(f"{turn}-state", tensors)
        # as text: the record may hold NaN, which is no JSON
        artifacts.write_json(self._state, {**saved, "record": json.dumps(record)})
        for path in self.folder.glob("[ab]-state-*.safetensors"):
            if path.name not in saved["shards"]:
                path.unlink()

    def load(self) -> Saved | None:
        """The last state; None if there is none, or if it is damaged."""
        try:
            saved = artifacts.read_json(self._state)
            return self._read(saved), json.loads(saved["record"])
        except UserError:
            return None

    def keep(self, index: int, tensors: dict[str, np.ndarray]) -> None:
        """Write a snapshot, which stays here until the trajectory is written."""
        artifacts.write_json(self._snapshot(index), self._write(self._snapshot(index).stem, tensors))

    def kept(self, index: int) -> dict[str, np.ndarray]:
        """Read a snapshot. UserError if it is missing or damaged."""
        return self._read(artifacts.read_json(self._snapshot(index)))

    def remove(self) -> None:
        """Delete the checkpoint: the outputs are written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _snapshot(self, index: int) -> Path:
        return self.folder / f"snapshot-{index:04d}.json"

    def _write(self, stem: str, tensors: dict[str, np.ndarray]) -> dict[str, Any]:
        """Write tensors in shards; the shards' names with their checksums, and the tensors' shapes."""
        shards: list[dict[str, np.ndarray]] = [{}]
        room = SHARD
        for name, array in tensors.items():
            flat = np.ascontiguousarray(array).reshape(-1)
            # the parts of one tensor are each larger than half a shard, so that no shard holds two of them
            for part in np.array_split(flat, max(1, -(-flat.nbytes // SHARD))):
                if part.nbytes > room:
                    shards.append({})
                    room = SHARD
                shards[-1][name] = part
                room -= part.nbytes
        checksums = {}
        for i, shard in enumerate(shards):
            path = self.folder / f"{stem}-{i}.safetensors"
            artifacts.write_tensors(path, shard)
            checksums[path.name] = artifacts.sha256(path)
        return {"shards": checksums, "shapes": {name: list(np.shape(array)) for name, array in tensors.items()}}

    def _read(self, saved: dict[str, Any]) -> dict[str, np.ndarray]:
        """Tensors, put together from their shards."""
        parts: dict[str, list[np.ndarray]] = {name: [] for name in saved["shapes"]}
        for file, recorded in saved["shards"].items():
            path = self.folder / file
            if not path.exists() or artifacts.sha256(path) != recorded:
                raise UserError(f"{path}: missing or damaged; delete {self.folder} and run again")
            for name, array in artifacts.read_tensors(path).items():
                parts[name].append(array)
        return {name: np.concatenate(parts[name]).reshape(shape) for name, shape in saved["shapes"].items()}
