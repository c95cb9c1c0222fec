"""The prepared split against what the sources themselves hold, and the tensors against torch's own interpolation."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from splits import prepared, same

from dirconv import data
from dirconv.data import _draw

ODD_EVEN = {"negative": [1, 3, 5, 7, 9], "positive": [0, 2, 4, 6, 8]}
PAIR = {"negative": ["3"], "positive": ["5"]}


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


# without pydantic


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
