"""Images in a directory or zip file: train/<class>/*.jpg, .jpeg or .png and test/<class>/*, in sorted order."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dirconv import artifacts
from dirconv.data import Pool, Selection, Source
from dirconv.errors import UserError
from dirconv.options import configurable

if TYPE_CHECKING:
    import numpy as np

NUMERICS = 1
LEVELS = 255
SUFFIXES = (".jpg", ".jpeg", ".png")
MODES = ("L", "P", "RGB")  # 8 bits without transparency: these become RGB without loss
LAYOUT = "expected train/<class>/ and test/<class>/ with .jpg, .jpeg or .png files"


@configurable
class Spec(Selection):
    """Options of the source; classes are the names of folders. Images must be size×size, RGB or grey."""

    source: Literal["folder"] = "folder"
    path: str | None = None  # a directory or a zip file
    variant: str | None = None  # of the data, in words


@dataclasses.dataclass(frozen=True)
class Directory:
    """A directory of images."""

    path: Path

    def entries(self) -> list[str]:
        """Relative paths of files and folders, with forward slashes; those of folders end in one."""
        paths = []
        for part in ("train", "test"):
            for folder, folders, files in os.walk(self.path / part, followlinks=True):
                base = Path(folder).relative_to(self.path).as_posix()
                paths += [f"{base}/{name}/" for name in folders] + [f"{base}/{name}" for name in files]
                if base != part:
                    folders.clear()  # images lie two levels down and no deeper
        return paths

    def read(self, names: list[str]) -> Iterator[bytes]:
        """The contents of files."""
        for name in names:
            try:
                yield (self.path / name).read_bytes()
            except OSError as error:
                raise UserError(f"{self.path / name}: cannot be read ({error.strerror}); restore the file") from error

    def checksum(self, names: list[str]) -> str:
        """SHA-256 of all images, given their names."""
        contents = zip(names, self.read(names), strict=True)
        return artifacts.digest([[name, hashlib.sha256(content).hexdigest()] for name, content in contents])


@dataclasses.dataclass(frozen=True)
class Zip:
    """A zip file of images, with the methods of `Directory`."""

    path: Path

    def entries(self) -> list[str]:
        with self._opened() as archive:
            return archive.namelist()

    def read(self, names: list[str]) -> Iterator[bytes]:
        with self._opened() as archive:
            for name in names:
                try:
                    content = archive.read(name)
                except Exception as error:  # damage shows as BadZipFile, zlib.error, EOFError, NotImplementedError …
                    message = f"{self.path}: {name} cannot be read (damaged or encrypted); get the zip file again"
                    raise UserError(message) from error
                yield content

    def checksum(self, names: list[str]) -> str:
        return artifacts.sha256(self.path)

    def _opened(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self.path)
        except (zipfile.BadZipFile, OSError) as error:
            message = f"{self.path}: neither a directory nor a complete zip file; get the file again or name another"
            raise UserError(message) from error


@dataclasses.dataclass(frozen=True)
class Files:
    """The images of a part, decoded when they are indexed."""

    tree: Directory | Zip
    names: list[str]
    side: int  # pixels

    def __getitem__(self, positions: np.ndarray) -> np.ndarray:
        """The images at `positions` (k,), uint8 (k, 3, side, side); UserError names the first unsuitable one."""
        import numpy as np

        images = np.empty((len(positions), 3, self.side, self.side), dtype=np.uint8)
        order = np.argsort(positions)  # read in the archive's order
        contents = self.tree.read([self.names[positions[i]] for i in order])
        for i, content in zip(order, contents, strict=True):
            images[i] = self._decode(content, f"{self.tree.path}: {self.names[positions[i]]}")
        return images

    def _decode(self, content: bytes, file: str) -> np.ndarray:
        import numpy as np
        from PIL import Image

        try:
            with Image.open(io.BytesIO(content)) as image:
                (width, height), mode = image.size, image.mode
                fits = width == height == self.side and mode in MODES
                pixels = np.asarray(image.convert("RGB")) if fits else None
        except Exception as error:  # decoders raise many kinds of errors for damaged files
            raise UserError(f"{file}: not a readable image (damaged?); replace or remove it") from error
        if mode not in MODES:
            raise UserError(f"{file}: color mode {mode}, expected RGB or grey with 8 bits; convert the image")
        if pixels is None:
            expected = f"expected {self.side}×{self.side}; resize the image or set size"
            raise UserError(f"{file}: {width}×{height} pixels, {expected}")
        return pixels.transpose(2, 0, 1)


def load(spec: Spec, where: str) -> Source:
    """The images of both parts, read only when they are indexed; index is a number in a part's sorted order."""
    if spec.path is None:
        raise UserError(f"{where}.path: not set; give it in the study file or with --config images=PATH")
    path = Path(spec.path)
    if not path.exists():
        raise UserError(f"{where}.path: {path} not found; name a directory or zip file of images")
    tree = Directory(path) if path.is_dir() else Zip(path)
    entries = [entry.split("/") for entry in sorted(set(tree.entries()))]
    pools = {part: _pool(tree, part, entries, spec) for part in ("train", "test")}
    names = [name for pool in pools.values() for name in pool.images.names]
    return Source(**pools, levels=LEVELS, variant=spec.variant or "image folder", checksum=tree.checksum(names))


def _pool(tree: Directory | Zip, part: str, entries: list[list[str]], spec: Spec) -> Pool:
    import numpy as np

    inside = [entry for entry in entries if len(entry) == 3 and entry[0] == part]
    # hidden files are none: macOS leaves "._0001.jpg" beside "0001.jpg"
    files = [entry for entry in inside if entry[2].lower().endswith(SUFFIXES) and not entry[2].startswith(".")]
    if not inside:
        raise UserError(f"{tree.path}: no {part}/ folder with classes; {LAYOUT}")
    classes = np.array([entry[1] for entry in files], dtype=str)
    for name in spec.names:
        if any(entry[1] == name for entry in inside) and name not in classes:
            raise UserError(f"{tree.path}: {part}/{name}/ holds no images; {LAYOUT}")
    names = ["/".join(entry) for entry in files]
    return Pool(images=Files(tree, names, spec.size), classes=classes, index=np.arange(len(files)))
