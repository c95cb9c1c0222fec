"""Golden runs of the data sources and of the split that is drawn from them."""

from __future__ import annotations

import hashlib
import io
import pickle
import tarfile
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from case import Numbers, golden
from maps import entries

from dirconv import data


def prepared(options: dict) -> Numbers:
    """The numbers of a split and of what a network gets of it."""
    with tempfile.TemporaryDirectory() as folder:
        record = data.prepare(options, Path(folder), "data.golden")
        # as the stage writes it
        from dirconv import artifacts

        artifacts.write_manifest(Path(folder), ["split.safetensors"], record)
        split = data.load(Path(folder))
    x, y, x_test, y_test = split.tensors(torch.float64)
    return {
        "index": [float(i) for i in split.train_index[:12]],
        "test index": [float(i) for i in split.test_index[:12]],
        "labels": y.double().tolist()[:12],
        "test labels": y_test.double().tolist()[:12],
        "counts": [float(n) for part in record["counts"].values() for n in part.values()],
        "levels": float(record["levels"]),
        "shape": [float(n) for n in x.shape],
        "pixels": entries(x, 9),
        "test pixels": entries(x_test, 9),
        "mean": float(x_test.mean()),
        "classes": record["classes"],
    }


@golden("data.digits", "split", relative=1e-10)
def of_digits() -> Numbers:
    two = {"negative": [0, 2], "positive": [1, 3]}
    binary = prepared({"source": "digits", "classes": two, "train": 30, "test": 13})
    several = prepared({"source": "digits", "classes": [4, 7, 9], "train": 31, "test": 14, "seed": 5, "size": 12})
    everything = prepared({"source": "digits", "classes": {"negative": [1], "positive": [8]}, "test_fraction": 0.3})
    return {
        **{f"two groups: {label}": value for label, value in binary.items()},
        **{f"three classes: {label}": value for label, value in several.items()},
        **{f"all: {label}": value for label, value in everything.items()},
    }


@golden("data.folder", "split", relative=1e-10)
def of_folder() -> Numbers:
    from PIL import Image

    random = np.random.default_rng(21)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for part, count in (("train", 5), ("test", 3)):
            for name in ("cat", "dog"):
                (root / part / name).mkdir(parents=True)
                for i in range(count):
                    grey = name == "dog" and i == 0
                    pixels = random.integers(0, 256, (6, 6) if grey else (6, 6, 3), dtype=np.uint8)
                    Image.fromarray(pixels).save(root / part / name / f"{i}.png")
        classes = {"negative": ["cat"], "positive": ["dog"]}
        options = {"source": "folder", "path": folder, "classes": classes, "train": 8, "test": 5, "size": 6}
        return prepared(options)


@golden("data.cifar10", "split", relative=1e-10)
def of_cifar10() -> Numbers:
    """An archive in CIFAR's own format, of a few random images; torchvision is told its checksums."""
    from torchvision.datasets import CIFAR10

    names = ["airplane", "automobile", "bird"]
    files = {"batches.meta": pickle.dumps({"label_names": names})}
    for number, name in enumerate(("data_batch_1", "data_batch_2", "test_batch")):
        rows = np.random.default_rng(number).integers(0, 256, (9, 3072), dtype=np.uint8)
        files[name] = pickle.dumps({"data": rows, "labels": [i % 3 for i in range(9)]})
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"{CIFAR10.base_folder}/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))

    def md5(content: bytes) -> str:
        return hashlib.md5(content, usedforsecurity=False).hexdigest()

    published = {
        "tgz_md5": md5(buffer.getvalue()),
        "train_list": [[name, md5(files[name])] for name in ("data_batch_1", "data_batch_2")],
        "test_list": [["test_batch", md5(files["test_batch"])]],
        "meta": {"filename": "batches.meta", "key": "label_names", "md5": md5(files["batches.meta"])},
    }
    with tempfile.TemporaryDirectory() as folder, mock.patch.multiple(CIFAR10, **published):
        (Path(folder) / CIFAR10.filename).write_bytes(buffer.getvalue())
        classes = {"negative": ["airplane"], "positive": ["bird", "automobile"]}
        return prepared({"source": "cifar10", "root": folder, "classes": classes, "train": 14, "test": 7})
