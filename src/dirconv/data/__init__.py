"""Data: from a source of images to a study's split, standardized for a network.

Each source is one module with a `Spec` (a `Selection` with further options) and `load(spec, where) -> Source`.
"""

from __future__ import annotations

import dataclasses
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dirconv import artifacts
from dirconv.data import _draw
from dirconv.errors import UserError
from dirconv.options import configurable, parse, plugin, require_positive

if TYPE_CHECKING:
    import numpy as np
    import torch

NUMERICS = 1
SPLIT = "split.safetensors"
STATISTICS_CHUNK = 1000  # images converted to float64 at a time, to need no second copy of all of them


def one_form(name: str) -> str:
    """A name in the composed form of Unicode: macOS writes the letters of file names and their accents apart."""
    return unicodedata.normalize("NFC", name)


@configurable
class Selection:
    """Which images of a source a study uses; the base of every source's `Spec`.

    Two classes or two groups of classes are a mapping with the keys `negative` and `positive` (labels −1 and +1),
    K ≥ 3 classes are a list (labels 0 … K−1). Subsets are stratified: each class has the same share as in the source.
    """

    source: str
    classes: dict[str, list[str | int]] | list[str | int]
    train: int | None = None  # how many images; all by default
    test: int | None = None
    seed: int = 0  # of the draw, not of any training
    size: int = 32  # side, in pixels, of the images that the network gets

    def __post_init__(self) -> None:
        require_positive(self, "size", *(part for part in ("train", "test") if getattr(self, part) is not None))
        if self.seed < 0:
            raise ValueError(f"seed: must not be negative, got {self.seed}")
        if isinstance(self.classes, dict):
            if set(self.classes) != {"negative", "positive"}:
                keys = ", ".join(self.classes) or "none"
                raise ValueError(f"classes: expected exactly the keys negative and positive, got {keys}")
            for group, names in self.classes.items():
                if not names:
                    raise ValueError(f"classes.{group}: names no class; name at least one")
        elif len(self.classes) < 3:
            two = "for two give negative: [...] and positive: [...]"
            raise ValueError(f"classes: a list needs at least three classes, got {len(self.classes)}; {two}")
        for name in self.names:
            if self.names.count(name) > 1:
                raise ValueError(f"classes: {name!r} is named more than once; name every class once")

    @property
    def groups(self) -> list[list[str]]:
        """Class names by label, in the order of the labels."""
        two = isinstance(self.classes, dict)
        groups = [self.classes["negative"], self.classes["positive"]] if two else [[name] for name in self.classes]
        return [[one_form(str(name)) for name in group] for group in groups]

    @property
    def labels(self) -> list[int]:
        """The label of each group."""
        return [-1, 1] if isinstance(self.classes, dict) else list(range(len(self.classes)))

    @property
    def names(self) -> list[str]:
        """All class names, in the order of the labels."""
        return [name for group in self.groups for name in group]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pool:
    """The training or the test images of a source, all classes, in the source's own order."""

    images: Any  # uint8 (n, channels, height, width): an array, or what reads them when indexed by positions (k,)
    classes: np.ndarray  # (n,), class names
    index: np.ndarray  # (n,), int64: the images' numbers in the source


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """All images of a source, as its `load` returns them."""

    train: Pool
    test: Pool
    levels: int  # the pixel value that means 1.0
    variant: str  # of the data, in words
    checksum: str  # SHA-256 of the source


def specification(options: dict[str, Any], where: str) -> Selection:
    """The options of the source that `options["source"]` names, validated; UserError names a wrong key."""
    module = plugin("data", options.get("source", ""), f"{where}.source")
    return parse(module.Spec, options, where)


def prepare(options: dict[str, Any], folder: Path, where: str) -> dict[str, Any]:
    """Draw a study's split from its source, write it to `folder`/split.safetensors, and return its record.

    The file holds, for the parts train and test, {part}_images uint8 (n, channels, height, width), {part}_labels
    int64 (n,) and {part}_index int64 (n,), the images' numbers in the source. Images come in random order, since
    batch statistics are taken over consecutive ones. The record, for the manifest, holds `classes`, the names in the
    order of the labels, those of a group joined by " + ".

    UserError for invalid options or images, before anything is written; `where` is the configuration's name in it.
    """
    import numpy as np

    spec = specification(options, where)
    source = plugin("data", spec.source, f"{where}.source").load(spec, where)
    pools = {"train": source.train, "test": source.test}
    # both parts are drawn before any image is read, so that a mistake is reported at once
    drawn = {part: _draw.positions(pool.classes, spec, part, where) for part, pool in pools.items()}
    label_of = {name: label for group, label in zip(spec.groups, spec.labels, strict=True) for name in group}
    tensors, counts = {}, {}
    for part, positions in drawn.items():
        pool = pools[part]
        names = pool.classes[positions]
        tensors[f"{part}_images"] = pool.images[positions]
        tensors[f"{part}_labels"] = np.array([label_of[name] for name in names], dtype=np.int64)
        tensors[f"{part}_index"] = pool.index[positions]
        counts[part] = {name: int(np.count_nonzero(names == name)) for name in spec.names}
    images = tensors["train_images"]
    if (images.max((0, 2, 3)) == images.min((0, 2, 3))).any():
        raise UserError(f"{where}: the training images have a channel without contrast; choose other images")
    artifacts.write_tensors(Path(folder) / SPLIT, tensors)
    return {
        "levels": source.levels,
        "size": spec.size,
        "variant": source.variant,
        "source_sha256": source.checksum,
        "classes": [" + ".join(group) for group in spec.groups],
        "counts": counts,
    }


@dataclasses.dataclass(frozen=True, kw_only=True)
class Split:
    """A prepared split: images uint8 (n, channels, height, width), labels and index int64 (n,)."""

    train_images: np.ndarray
    train_labels: np.ndarray  # ±1 or 0 … K−1
    train_index: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    test_index: np.ndarray
    levels: int  # the pixel value that means 1.0
    size: int  # side of the images that the network gets

    def tensors(self, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """x_train, y_train, x_test, y_test, as a network gets them.

        x: (n, 3, size, size) of `dtype`: pixel/levels, resized to size×size by bilinear interpolation (corners not
        aligned), then (x − mean)/std with each channel's mean and standard deviation over the training images; grey
        images are repeated in three channels. y: (n,), int64.
        """
        import torch

        def scaled(images: np.ndarray) -> torch.Tensor:
            x = torch.from_numpy(images).to(dtype).div_(self.levels)
            if x.shape[2:] == (self.size, self.size):
                return x
            return torch.nn.functional.interpolate(x, (self.size, self.size), mode="bilinear", align_corners=False)

        x_train, x_test = scaled(self.train_images), scaled(self.test_images)
        shape = (1, -1, 1, 1)
        count = x_train.numel() // x_train.shape[1]
        parts = x_train.split(STATISTICS_CHUNK)
        mean = sum(part.double().sum((0, 2, 3)) for part in parts).view(shape) / count
        variance = sum((part.double() - mean).square().sum((0, 2, 3)) for part in parts).view(shape) / count
        mean, std = mean.to(dtype), variance.sqrt().to(dtype)
        x_train, x_test = (x.sub_(mean).div_(std).expand(-1, 3, -1, -1).contiguous() for x in (x_train, x_test))
        return x_train, torch.from_numpy(self.train_labels), x_test, torch.from_numpy(self.test_labels)


def load(folder: Path) -> Split:
    """The split in `folder`, its checksum verified; UserError if it is missing, damaged or no split."""
    manifest = artifacts.read_manifest(folder)
    if SPLIT not in manifest["files"]:
        raise UserError(f"{folder}: holds no prepared split; name the folder that `dirconv data` wrote")
    tensors = artifacts.read_tensors(Path(folder) / SPLIT)
    return Split(**tensors, levels=manifest["levels"], size=manifest["size"])
