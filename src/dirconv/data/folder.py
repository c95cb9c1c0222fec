"""Images in a directory or zip file: train/<class>/*.jpg, .jpeg or .png and test/<class>/*, in sorted order.

Nothing is lost without a word. Refused are images that would lose something on the way to 8-bit RGB as it is stored:
more than 8 bits, transparency, several frames, an orientation that is only noted; and files in a class that would not
be read. Colour profiles and gamma are not applied: pixel values are taken as they are stored.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import io
import os
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dirconv import artifacts
from dirconv.data import Pool, Selection, Source, one_form
from dirconv.errors import UserError
from dirconv.options import configurable

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

NUMERICS = 1
LEVELS = 255
SUFFIXES = (".jpg", ".jpeg", ".png")
MODES = ("L", "P", "RGB")  # 8 bits without transparency: these become RGB without loss
NO_IMAGES = (".txt", ".md", ".csv", ".json", ".xml", ".html", ".db", ".ini")  # may lie beside images
FORMATS = ("PNG", "JPEG")
ORIENTATION = 0x0112  # EXIF tag; 1, 0 or none: the pixels are as they are to be seen
LARGEST_FILE = 64 * 2**20  # bytes of one image; no image that a network here takes needs them
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
            path = self.path / name
            try:
                status = path.stat()
                if not stat.S_ISREG(status.st_mode):  # reading a pipe or a device may never end
                    raise UserError(f"{path}: no regular file; remove it")
                _check_size(status.st_size, str(path))
                yield path.read_bytes()
            except OSError as error:
                raise UserError(f"{path}: cannot be read ({error.strerror}); restore the file") from error

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
            names = archive.namelist()
        name, times = collections.Counter(names).most_common(1)[0] if names else ("", 0)
        if times > 1:
            raise UserError(f"{self.path}: holds {name} {times} times; make the zip file again")
        return names

    def read(self, names: list[str]) -> Iterator[bytes]:
        with self._opened() as archive:
            for name in names:
                _check_size(archive.getinfo(name).file_size, f"{self.path}: {name}")
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
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                (width, height), mode = image.size, image.mode
                lost = _lost(image, content)
                fits = width == height == self.side and mode in MODES and not lost
                pixels = np.asarray(image.convert("RGB")) if fits else None
        except Exception as error:  # decoders raise many kinds of errors for damaged files
            raise UserError(f"{file}: not a readable image (damaged?); replace or remove it") from error
        if mode not in MODES:
            raise UserError(f"{file}: color mode {mode}, expected RGB or grey with 8 bits; convert the image")
        if lost:
            raise UserError(f"{file}: {lost}; convert the image to 8-bit RGB or grey as it is to be seen")
        if pixels is None:
            expected = f"expected {self.side}×{self.side}; resize the image or set size"
            raise UserError(f"{file}: {width}×{height} pixels, {expected}")
        return pixels.transpose(2, 0, 1)


def _lost(image: Image.Image, content: bytes) -> str:
    """What an image of an accepted mode has that its RGB pixels would not, or ''."""
    if image.format == "PNG" and content[24] > 8:  # the header's bit depth: 16 bits of a color are read as 8
        return f"{content[24]} bits a color, expected 8"
    if "transparency" in image.info:
        return "has transparent colors"
    if getattr(image, "n_frames", 1) > 1:
        return f"has {image.n_frames} frames"
    turned = image.getexif().get(ORIENTATION, 1)
    return f"is turned by its EXIF orientation, {turned}" if turned not in (0, 1) else ""


def _check_size(size: int, file: str) -> None:
    if size > LARGEST_FILE:
        raise UserError(f"{file}: {size / 2**20:.0f} MiB, too large for one image; remove it")


def load(spec: Spec, where: str) -> Source:
    """The images of both parts, read only when they are indexed; index is a number in a part's sorted order."""
    if spec.path is None:
        raise UserError(f"{where}.path: not set; give it in the study file or with --config images=PATH")
    path = Path(spec.path)
    if not path.exists():
        raise UserError(f"{where}.path: {path} not found; name a directory or zip file of images")
    if not (path.is_dir() or path.is_file()):
        raise UserError(f"{where}.path: {path} is neither a folder nor a regular file; name a zip file of images")
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
    _check_all_read(tree, part, entries, spec)
    classes = np.array([one_form(entry[1]) for entry in files], dtype=str)
    for name in spec.names:
        if any(one_form(entry[1]) == name for entry in inside) and name not in classes:
            raise UserError(f"{tree.path}: {part}/{name}/ holds no images; {LAYOUT}")
    names = ["/".join(entry) for entry in files]
    return Pool(images=Files(tree, names, spec.size), classes=classes, index=np.arange(len(files)))


def _check_all_read(tree: Directory | Zip, part: str, entries: list[list[str]], spec: Spec) -> None:
    """UserError for a file of a chosen class that would be passed over: another format, or in a folder of its own."""
    folders: dict[str, str] = {}
    for entry in entries:
        if entry[0] != part or len(entry) < 3 or one_form(entry[1]) not in spec.names:
            continue
        if folders.setdefault(one_form(entry[1]), entry[1]) != entry[1]:
            raise UserError(f"{tree.path}: {part}/ has two folders {entry[1]}, in two forms of Unicode; merge them")
        hidden = any(piece.startswith(".") for piece in entry[2:])
        deeper = len(entry) > 3
        other = len(entry) == 3 and entry[2] and not entry[2].lower().endswith((*SUFFIXES, *NO_IMAGES))
        if not hidden and (deeper or other):
            raise UserError(f"{tree.path}: {'/'.join(entry)} would not be read; convert or remove it; {LAYOUT}")
