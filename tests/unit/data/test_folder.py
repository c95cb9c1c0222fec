"""Folders and zips of images: the split is what the files hold, whatever their form and order."""

import io
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from splits import prepared, same

from dirconv import artifacts, data

COUNTS = {"train": {"bird": 4, "cat": 8, "dog": 6}, "test": {"bird": 2, "cat": 3, "dog": 2}}


def pixels(part, name, number):
    """A color image that no other equals."""
    return np.random.default_rng([len(part), ord(name[0]), number]).integers(0, 256, (32, 32, 3), dtype=np.uint8)


def files():
    """Relative names and PNG contents of a small source of images."""
    for part, classes in COUNTS.items():
        for name, count in classes.items():
            for number in range(count):
                buffer = io.BytesIO()
                Image.fromarray(pixels(part, name, number)).save(buffer, "png")
                yield f"{part}/{name}/{number:04d}.png", buffer.getvalue()


@pytest.fixture
def directory(tmp_path):
    root = tmp_path / "images"
    for name, content in files():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w") as opened:
        for name, content in reversed(list(files())):  # the order in the zip file must not matter
            opened.writestr(name, content)
    return path


GROUPS = {"negative": ["cat"], "positive": ["dog", "bird"]}


def test_folder_images_are_those_of_the_files(tmp_path, directory):
    split, record = prepared(tmp_path / "out", source="folder", path=str(directory), classes=GROUPS)
    assert record["counts"] == {part: {n: COUNTS[part][n] for n in ("cat", "dog", "bird")} for part in COUNTS}
    assert record["levels"] == 255
    for part in ("train", "test"):
        names = [(name, number) for name in sorted(COUNTS[part]) for number in range(COUNTS[part][name])]
        images, labels, index = (getattr(split, f"{part}_{what}") for what in ("images", "labels", "index"))
        assert len(images) == len(names)
        for image, label, place in zip(images, labels, index, strict=True):
            name, number = names[place]
            np.testing.assert_array_equal(image, pixels(part, name, number).transpose(2, 0, 1))
            assert label == (-1 if name == "cat" else 1)


def test_a_zip_gives_what_the_directory_gives(tmp_path, directory, archive):
    options = {"source": "folder", "classes": GROUPS, "train": 9, "test": 5, "variant": "drawn at random"}
    first, record = prepared(tmp_path / "a", **options, path=str(directory))
    second, zipped = prepared(tmp_path / "b", **options, path=str(archive))
    assert same(first, second)
    assert record["counts"]["train"] == {"cat": 4, "dog": 3, "bird": 2}
    assert zipped["source_sha256"] == artifacts.sha256(archive)
    assert record["variant"] == zipped["variant"] == "drawn at random"


def test_the_checksum_of_a_directory_follows_its_images(tmp_path, directory):
    def checksum():
        return data.prepare(
            {"source": "folder", "classes": GROUPS, "path": str(directory)}, tmp_path / "out", "data.x"
        )["source_sha256"]

    first = checksum()
    (directory / "train" / "notes.txt").write_text("not an image")
    (directory / "train" / "cat" / "._0000.png").write_text("what some systems leave")
    assert checksum() == first
    (directory / "train" / "cat" / "0000.png").rename(directory / "train" / "cat" / "9999.png")
    renamed = checksum()
    (directory / "train" / "dog" / "0000.png").write_bytes((directory / "train" / "dog" / "0001.png").read_bytes())
    assert len({first, renamed, checksum()}) == 3


def test_color_channels_are_standardized_one_by_one(tmp_path, directory):
    split, _ = prepared(tmp_path / "out", source="folder", path=str(directory), classes=GROUPS)
    x, _, x_test, _ = split.tensors(torch.float32)
    raw = torch.from_numpy(split.train_images).double() / 255
    std, mean = torch.std_mean(raw, (0, 2, 3), correction=0, keepdim=True)
    torch.testing.assert_close(x, ((raw - mean) / std).float())
    raw_test = torch.from_numpy(split.test_images).double() / 255
    torch.testing.assert_close(x_test, ((raw_test - mean) / std).float())


def test_grey_and_jpeg_files_become_color(tmp_path, directory):
    grey = np.arange(1024, dtype=np.uint8).reshape(32, 32)
    Image.fromarray(grey).save(directory / "train" / "cat" / "0000.png")
    flat = np.full((32, 32, 3), (200, 40, 90), dtype=np.uint8)
    Image.fromarray(flat).save(directory / "train" / "cat" / "0001.JPG", quality=100)
    split, record = prepared(tmp_path / "out", source="folder", path=str(directory), classes=GROUPS)
    assert record["counts"]["train"]["cat"] == 9
    place = {int(index): image for index, image in zip(split.train_index, split.train_images, strict=True)}
    np.testing.assert_array_equal(place[4], np.broadcast_to(grey, (3, 32, 32)))
    assert np.abs(place[5].astype(int) - flat.transpose(2, 0, 1)).max() <= 2


def test_only_images_that_are_drawn_are_read(tmp_path, archive):
    """Half a million images in a zip file must not be decoded for a thousand."""
    split, _ = prepared(tmp_path / "a", source="folder", path=str(archive), classes=GROUPS, train=6, test=4)
    drawn = {("train", int(i)) for i in split.train_index} | {("test", int(i)) for i in split.test_index}
    spoilt = tmp_path / "spoilt.zip"
    place = {"train": 0, "test": 0}
    with zipfile.ZipFile(spoilt, "w") as opened:
        for name, content in files():
            part = name.split("/")[0]
            opened.writestr(name, content if (part, place[part]) in drawn else b"not an image")
            place[part] += 1
    again, _ = prepared(tmp_path / "b", source="folder", path=str(spoilt), classes=GROUPS, train=6, test=4)
    assert same(split, again)
