"""The prepared split against what the sources themselves hold, and the tensors against torch's own interpolation."""

import io
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from dirconv import artifacts, data
from dirconv.data import _draw

ODD_EVEN = {"negative": [1, 3, 5, 7, 9], "positive": [0, 2, 4, 6, 8]}
PAIR = {"negative": ["3"], "positive": ["5"]}


def prepared(folder, **options):
    """The split and the record that `prepare` returned, through files as a study has it."""
    record = data.prepare(options, folder, "data.x")
    artifacts.write_manifest(folder, ["split.safetensors"], record)
    return data.load(folder), record


def same(first, second):
    return all(
        np.array_equal(getattr(first, f"{part}_{what}"), getattr(second, f"{part}_{what}"))
        for part in ("train", "test")
        for what in ("images", "labels", "index")
    )


@pytest.fixture(scope="module")
def bunch():
    return load_digits()


def test_digits_are_scikit_learns(tmp_path, bunch):
    split, record = prepared(tmp_path, source="digits", classes=ODD_EVEN)
    assert record["classes"] == ["1 + 3 + 5 + 7 + 9", "0 + 2 + 4 + 6 + 8"]
    assert record["levels"] == 16
    assert record["size"] == 32
    for part in ("train", "test"):
        images, labels, index = (getattr(split, f"{part}_{what}") for what in ("images", "labels", "index"))
        assert images.dtype == np.uint8
        assert labels.dtype == index.dtype == np.int64
        np.testing.assert_array_equal(images[:, 0], bunch.images[index])
        np.testing.assert_array_equal(labels, np.where(bunch.target[index] % 2 == 1, -1, 1))
    both = np.concatenate([split.train_index, split.test_index])
    assert sorted(both) == list(range(1797))  # disjoint, and nothing lost


def test_digits_hold_out_the_same_fraction_of_each_digit(tmp_path, bunch):
    _, record = prepared(tmp_path, source="digits", classes=list(range(10)), test_fraction=0.25)
    for digit in range(10):
        assert record["counts"]["test"][str(digit)] == round(0.25 * np.count_nonzero(bunch.target == digit))


def test_digits_are_held_out_whichever_classes_are_chosen(tmp_path, bunch):
    pair, _ = prepared(tmp_path / "pair", source="digits", classes=PAIR, seed=2)
    every, _ = prepared(tmp_path / "all", source="digits", classes=list(range(10)), seed=2)
    threes_and_fives = np.isin(bunch.target[every.test_index], [3, 5])
    assert set(pair.test_index) == set(every.test_index[threes_and_fives])


def test_many_classes_are_labelled_in_the_order_given(tmp_path, bunch):
    split, record = prepared(tmp_path, source="digits", classes=[7, "0", 4])
    assert record["classes"] == ["7", "0", "4"]
    np.testing.assert_array_equal(np.array([7, 0, 4])[split.train_labels], bunch.target[split.train_index])


def test_the_seed_alone_decides(tmp_path):
    options = {"source": "digits", "classes": ODD_EVEN, "train": 100, "test": 50}
    first, record = prepared(tmp_path / "a", **options, seed=3)
    again, record_again = prepared(tmp_path / "b", **options, seed=3)
    other, _ = prepared(tmp_path / "c", **options, seed=4)
    assert same(first, again)
    assert record == record_again
    assert not np.array_equal(first.train_index, other.train_index)


def test_the_size_of_one_part_does_not_move_the_other(tmp_path):
    small, _ = prepared(tmp_path / "a", source="digits", classes=PAIR, train=60, test=10)
    large, _ = prepared(tmp_path / "b", source="digits", classes=PAIR, train=60, test=40)
    np.testing.assert_array_equal(small.train_index, large.train_index)
    assert set(small.test_index) < set(large.test_index)


def test_images_are_mixed(tmp_path):
    """Consecutive images are batches for batch statistics, so no stretch may be of one class."""
    split, _ = prepared(tmp_path, source="digits", classes=PAIR)
    for batch in np.split(split.train_labels[:280], 4):
        assert 0.2 < np.mean(batch == 1) < 0.8
    assert not np.array_equal(split.train_index, np.sort(split.train_index))


@pytest.mark.parametrize(
    ("available", "total", "expected"),
    [
        ([5000, 5000], 2000, [1000, 1000]),
        ([10, 20, 30], 6, [1, 2, 3]),
        ([10, 10, 10], 4, [2, 1, 1]),  # ties go to the first
        ([1, 2, 3], 6, [1, 2, 3]),
        ([1, 1, 98], 50, [1, 0, 49]),
    ],
)
def test_shares(available, total, expected):
    assert _draw.shares(available, total) == expected


def test_subsets_keep_the_share_of_each_class(tmp_path, bunch):
    split, record = prepared(tmp_path, source="digits", classes=ODD_EVEN, train=500, test=100)
    assert len(split.train_images) == 500
    assert len(split.test_images) == 100
    for digit in range(10):
        count = np.count_nonzero(bunch.target[split.train_index] == digit)
        assert record["counts"]["train"][str(digit)] == count
        assert abs(count - 500 * np.mean(bunch.target == digit)) < 1.5  # rounding here and in the held-out part


def test_tensors_against_torch(tmp_path):
    split, _ = prepared(tmp_path, source="digits", classes=PAIR, train=80, test=30)
    x, y, x_test, y_test = split.tensors(torch.float64)
    assert x.shape == (80, 3, 32, 32)
    assert x_test.shape == (30, 3, 32, 32)
    assert x.dtype == torch.float64
    assert y.dtype == y_test.dtype == torch.int64
    assert y.tolist() == split.train_labels.tolist()
    assert y_test.tolist() == split.test_labels.tolist()

    def enlarged(images):
        pixels = torch.from_numpy(images).double() / 16
        return torch.nn.functional.interpolate(pixels, (32, 32), mode="bilinear", align_corners=False)

    std, mean = torch.std_mean(enlarged(split.train_images), correction=0)
    for channel in range(3):
        torch.testing.assert_close(x[:, channel], (enlarged(split.train_images)[:, 0] - mean) / std)
        # with the mean of the training images: those of the test images differ
        torch.testing.assert_close(x_test[:, channel], (enlarged(split.test_images)[:, 0] - mean) / std)
    assert abs(float(x_test.mean())) > 1e-4


@pytest.mark.filterwarnings("error")
def test_tensors_leave_the_split_as_it_was(tmp_path):
    split, _ = prepared(tmp_path, source="digits", classes=PAIR, train=20, test=10, size=8)
    before = split.train_images.copy()
    first = split.tensors(torch.float32)
    assert first[0].shape == (20, 3, 8, 8)
    np.testing.assert_array_equal(split.train_images, before)
    for one, two in zip(first, split.tensors(torch.float32), strict=True):
        assert torch.equal(one, two)


# ------------------------------------------------------------------------------------------------ folders and zips

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


# ------------------------------------------------------------------------------------------------ without pydantic


def test_reading_a_configuration_imports_no_heavy_package():
    program = """
import sys
sys.modules["pydantic"] = None  # as on a machine that lacks it
import dirconv.data.cifar10, dirconv.data.digits, dirconv.data.folder
heavy = {"torch", "torchvision", "sklearn", "PIL", "numpy", "pandas"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_a_job_needs_no_pydantic(tmp_path, monkeypatch):
    prepared(tmp_path, source="digits", classes=PAIR, train=20, test=10)
    monkeypatch.setitem(sys.modules, "pydantic", None)
    with pytest.raises(ImportError):
        data.specification({"source": "digits", "classes": PAIR}, "data.x")
    assert data.load(tmp_path).tensors(torch.float32)[0].shape == (20, 3, 32, 32)
