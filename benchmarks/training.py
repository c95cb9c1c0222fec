"""Throughput of training steps (forward, backward, update), against the plain loop that a practitioner would write.

    uv run python -m benchmarks.training --images PATH [--device cuda] [--only alexnet] [--seconds 20]

The plain loop: images through torchvision's transforms one by one (as torchvision's CIFAR10 hands them out) and a
DataLoader, torch.optim.SGD, eager, float32. Ours: `dirconv.margins.batch.BatchGradient` on resident images, in float32
and in bfloat16. The same network, batch and images; the plain loop and ours in turn in one process, each warmed up.

Ours runs as jobs do, deterministic and without TF32 (`dirconv.stages._job.prepare`), the plain loop with torch's
defaults. What jobs do not do is timed as well (`tried`): on CUDA images channel by channel, and cuDNN choosing its
kernels by timing them, by which two runs may differ; with --compiled the network as torch.compile makes it, which takes
a minute or two. On CUDA `kernels` says what takes a step's time, launched one by one: the sum is what recording cannot
save.

The ceiling is measured in the same run: a large matrix product in the steps' own arithmetic, and a large copy. A step's
operations are counted by torch's FlopCounterMode, its traffic as the sizes of what every operation reads and writes,
none of it fused or cached: the share of the copy's rate may so exceed one where caches help.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode
from torchvision import transforms
from torchvision.datasets import VisionDataset

from dirconv import artifacts, data, losses, models
from dirconv.margins.batch import BatchGradient
from dirconv.margins.network import NetworkMap
from dirconv.provenance import machine, now, versions
from dirconv.stages import _job

HERE = Path(__file__).parent
CLASSES = {"negative": ["airplane"], "positive": ["automobile"]}
BATCH = 100
SEED = 0  # of the weights
PROFILED = 5  # steps
KERNELS = 15
NETWORKS = {
    "cpu": {
        "alexnet": {"name": "alexnet"},
        "densenet": {"name": "densenet", "depth": 40, "growth": 12},
    },
    "cuda": {
        "alexnet": {"name": "alexnet"},
        "densenet": {"name": "densenet", "depth": 100, "growth": 12},
        "densenet121": {"name": "densenet121"},
    },
}


class Plain(VisionDataset):
    """A prepared split's images, handed out as torchvision's CIFAR10 does."""

    def __init__(self, split: data.Split) -> None:
        scaled = split.train_images / np.float32(split.levels)
        statistics = [getattr(scaled, which)((0, 2, 3)).tolist() for which in ("mean", "std")]
        super().__init__("", transform=transforms.Compose([transforms.ToTensor(), transforms.Normalize(*statistics)]))
        self.images = np.ascontiguousarray(split.train_images.transpose(0, 2, 3, 1))
        self.labels = split.train_labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        from PIL import Image

        return self.transform(Image.fromarray(self.images[index])), self.labels[index]


def network(options: dict[str, Any], device: torch.device) -> tuple[models.Spec, torch.nn.Module]:
    """A network, the same for every loop."""
    spec = models.from_options(options)
    return spec, models.create(spec, 3, 1, torch.Generator().manual_seed(SEED)).to(device)


def plain_steps(options: dict[str, Any], split: data.Split, device: torch.device, workers: int) -> Iterator[None]:
    """A training step at each turn."""
    _, module = network(options, device)
    loader = DataLoader(
        Plain(split), BATCH, shuffle=True, drop_last=True, num_workers=workers, pin_memory=device.type == "cuda",
        persistent_workers=workers > 0,
    )  # fmt: skip
    optimizer = torch.optim.SGD(module.parameters(), lr=1e-3, momentum=0.9)
    module.train()
    while True:
        for images, labels in loader:
            images, labels = images.to(device, non_blocking=True), labels.to(device, non_blocking=True)
            optimizer.zero_grad()
            softplus(-labels * module(images)[:, 0]).mean().backward()
            optimizer.step()
            yield


def our_steps(
    options: dict[str, Any],
    split: data.Split,
    device: torch.device,
    arithmetic: str,
    by_channel: bool = False,
    compiled: bool = False,
) -> Iterator[None]:
    """The steps of `dirconv.training.epochs`."""
    spec, module = network(options, device)
    x, y, _, _ = split.tensors(torch.float32)
    layout = torch.channels_last if device.type == "cuda" and not by_channel else torch.contiguous_format
    found = NetworkMap(module, x.to(device).contiguous(memory_format=layout), y.to(device), spec.degree, spec.coupled)
    gradient = BatchGradient(found, losses.get("logistic"), arithmetic)
    if compiled:
        gradient._map.network.compile()
    weights = found.flatten()
    velocity = torch.zeros_like(weights)
    while True:
        for members in torch.randperm(len(x)).to(device).split(BATCH):
            if len(members) == BATCH:
                torch.add(gradient(weights, members), velocity, alpha=0.9, out=velocity)
                weights.sub_(velocity, alpha=1e-3)
                yield


def rate(steps: Iterator[None], device: torch.device, seconds: float) -> float:
    """Images a second, over so long after a warm-up."""

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize()

    for _ in range(5):
        next(steps)
    wait()
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        for _ in range(5):
            next(steps)
        count += 5
        wait()
    return count * BATCH / (time.perf_counter() - start)


class Traffic(TorchDispatchMode):
    """Sums the bytes that operations read and write."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        found = function(*arguments, **(keywords or {}))
        if not function.is_view:
            leaves = tree_leaves((arguments, keywords, found))
            self.bytes += sum(leaf.numel() * leaf.element_size() for leaf in leaves if isinstance(leaf, Tensor))
        return found


@contextlib.contextmanager
def unrecorded() -> Iterator[None]:
    """Without CUDA graphs: a graph that is replayed dispatches nothing."""
    os.environ["DIRCONV_CUDA_GRAPHS"] = "0"
    try:
        yield
    finally:
        del os.environ["DIRCONV_CUDA_GRAPHS"]


def counted(options: dict[str, Any], split: data.Split, device: torch.device, arithmetic: str) -> tuple[float, float]:
    """Floating-point operations and bytes an image, of a step of ours."""
    with unrecorded():
        steps = our_steps(options, split, device, arithmetic)
        next(steps)
        traffic = Traffic()
        with FlopCounterMode(display=False) as flops, traffic:
            next(steps)
    return flops.get_total_flops() / BATCH, traffic.bytes / BATCH


def kernels(options: dict[str, Any], split: data.Split, device: torch.device, arithmetic: str) -> dict[str, Any]:
    """Microseconds and launches of a step by kernel (on a CPU by operation): all, and the KERNELS that take longest."""
    which = ProfilerActivity.CUDA if device.type == "cuda" else ProfilerActivity.CPU
    with unrecorded():
        steps = our_steps(options, split, device, arithmetic)
        for _ in range(3):
            next(steps)
        with profile(activities=[which]) as found:
            for _ in range(PROFILED):
                next(steps)
    attribute = "self_device_time_total" if device.type == "cuda" else "self_cpu_time_total"
    rows = [(getattr(row, attribute) / PROFILED, row.count / PROFILED, row.key) for row in found.key_averages()]
    rows = sorted((row for row in rows if row[0] > 0), reverse=True)
    longest = [{"microseconds": round(us, 1), "launches": n, "name": name[:120]} for us, n, name in rows[:KERNELS]]
    return {"microseconds": sum(us for us, _, _ in rows), "launches": sum(n for _, n, _ in rows), "longest": longest}


def best(function: Callable[[], Any], device: torch.device, times: int = 10) -> float:
    """Least seconds of a call."""
    found = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        function()
        if device.type == "cuda":
            torch.cuda.synchronize()
        found = min(found, time.perf_counter() - start)
    return found


def ceilings(device: torch.device) -> dict[str, float]:
    """FLOP/s of a large product in each arithmetic, bytes/s (read and written) of a large copy."""
    side = 8192 if device.type == "cuda" else 2048
    found = {}
    for name, kind in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        a = torch.randn(side, side, device=device).to(kind)
        found[name] = 2 * side**3 / best(lambda a=a: a @ a, device)
    source = torch.empty((2**32 if device.type == "cuda" else 2**28) // 4, device=device).normal_()
    target = torch.empty_like(source)
    found["copy"] = 2 * source.numel() * 4 / best(lambda: target.copy_(source), device)
    return found


def tried(
    options: dict[str, Any], split: data.Split, device: torch.device, seconds: float, compiled: bool
) -> dict[str, float | str]:
    """Images a second of our steps in other ways than jobs take them, or why it came to none."""
    found = {}
    for arithmetic in ("float32", "bfloat16"):
        for by_channel, timed in ((True, False), (False, True), (True, True)) if device.type == "cuda" else ():
            torch.backends.cudnn.benchmark = timed
            try:
                steps = our_steps(options, split, device, arithmetic, by_channel)
                words = [arithmetic, "by channel" if by_channel else "", "kernels by timing" if timed else ""]
                found[", ".join(filter(None, words))] = rate(steps, device, seconds)
            finally:
                torch.backends.cudnn.benchmark = False
        if compiled:
            try:
                steps = our_steps(options, split, device, arithmetic, compiled=True)
                found[f"{arithmetic}, compiled"] = rate(steps, device, seconds)
            except Exception as error:  # of a compiler that is not there, say: the other rows are worth having
                found[f"{arithmetic}, compiled"] = f"{type(error).__name__}: {str(error)[:200]}"
    return found


def main() -> None:
    """Time every network both ways."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=Path, help="folder or zip of images, train/<class>/…; or give --split")
    parser.add_argument("--split", type=Path, help="a folder that `dirconv data` wrote")
    parser.add_argument("--variant", default="CIFAR-10, JPEG copy", help="what --images are, in words")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement")
    parser.add_argument("--compiled", action="store_true", help="try torch.compile as well")
    parser.add_argument("--only", nargs="+", default=None)
    parser.add_argument("--out", type=Path, default=None, help="benchmarks/training-<device>.json by default")
    options = parser.parse_args()
    if (options.images is None) == (options.split is None):
        parser.error("give --images or --split")
    defaults = (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32)
    device = _job.prepare({"threads": options.threads, "device": options.device})
    with tempfile.TemporaryDirectory() as folder:
        where = options.split or Path(folder)
        if options.images is not None:
            chosen = {"source": "folder", "path": str(options.images), "variant": options.variant, "classes": CLASSES}
            record = data.prepare({**chosen, "train": 2000, "test": 100}, where, "data")
            artifacts.write_manifest(where, [data.SPLIT], record)
        split = data.load(where)
        origin = artifacts.read_manifest(where)
    ceiling = ceilings(device)
    workers = 8 if device.type == "cuda" else 0
    rows: dict[str, Any] = {}
    record = {
        "command": f"python -m benchmarks.training --device {options.device} --images PATH (or --split PATH)"
        + " --compiled" * options.compiled,
        "created": now(),
        "machine": machine(torch.cuda.get_device_name() if device.type == "cuda" else "cpu"),
        "versions": versions(),
        "threads": options.threads,
        "seconds": options.seconds,
        "batch": BATCH,
        "workers": workers,
        "data": {key: origin[key] for key in ("variant", "classes", "counts", "source_sha256")},
        "seed": SEED,
        "ceilings": ceiling,
        "networks": rows,
    }
    out = options.out or HERE / f"training-{options.device}.json"
    for name, model in NETWORKS[options.device].items():
        if options.only and name not in options.only:
            continue
        torch.use_deterministic_algorithms(False)
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = defaults
        plain = rate(plain_steps(model, split, device, workers), device, options.seconds)
        _job.prepare({"threads": options.threads, "device": options.device})
        rows[name] = {"model": model, "plain": plain}
        for arithmetic in ("float32", "bfloat16"):
            flops, traffic = counted(model, split, device, arithmetic)
            ours = rate(our_steps(model, split, device, arithmetic), device, options.seconds)
            rows[name][arithmetic] = {
                "images_per_second": ours,
                "ratio": ours / plain,
                "share_of_product": ours * flops / ceiling[arithmetic],
                "share_of_copy": ours * traffic / ceiling["copy"],
            }
        if device.type == "cuda":
            rows[name]["kernels"] = {kind: kernels(model, split, device, kind) for kind in ("float32", "bfloat16")}
        rows[name]["tried"] = tried(model, split, device, options.seconds, options.compiled)
        print(name, json.dumps(rows[name]), flush=True)
        out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
