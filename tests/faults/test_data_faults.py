"""Bad data options and bad images: one line that names the key or file and the remedy, and nothing written."""

import io
import os
import struct
import unicodedata
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from dirconv import artifacts, data
from dirconv.errors import UserError

PAIR = {"negative": ["cat"], "positive": ["dog"]}


def refused(tmp_path, options):
    """The message with which `prepare` refuses; it is one line and nothing has been written."""
    out = tmp_path / "out"
    with pytest.raises(UserError) as caught:
        data.prepare(options, out, "study.yaml: data.x")
    assert not out.exists()
    message = str(caught.value)
    assert message.splitlines() == [message]
    return message


def digits(**changes):
    return {"source": "digits", "classes": {"negative": [3], "positive": [5]}, **changes}


@pytest.mark.parametrize(
    ("changes", "key", "said"),
    [
        ({"source": "digit"}, "source", "did you mean 'digits'?"),
        ({"source": "_draw"}, "source", "known: cifar10, digits, folder"),
        ({"clases": {}}, "clases", "did you mean 'classes'?"),
        ({"path": "images"}, "path", "unknown key"),
        ({"classes": {"negative": [3]}}, "classes", "exactly the keys negative and positive"),
        ({"classes": {"negative": [3], "positive": [5], "other": [1]}}, "classes", "exactly the keys"),
        ({"classes": {"negative": [3], "positive": []}}, "classes.positive", "at least one"),
        ({"classes": {"negative": [3, 1], "positive": [5, 3]}}, "classes", "'3' is named more than once"),
        ({"classes": {"negative": [3, "3"], "positive": [5]}}, "classes", "'3' is named more than once"),
        ({"classes": [1, 2, 1]}, "classes", "'1' is named more than once"),
        ({"classes": [1]}, "classes", "at least three"),
        ({"classes": [1, 2]}, "classes", "negative: [...] and positive: [...]"),
        ({"classes": "3, 5"}, "classes", "got '3, 5'"),
        ({"classes": {"negative": ["three"], "positive": [5]}}, "classes", "no 'three' among the train images"),
        ({"classes": {"negative": [10], "positive": [5]}}, "classes", "0, 1, 2, 3, 4, 5, 6, 7, 8, 9"),
        ({"train": 0}, "train", "above zero"),
        ({"test": -1}, "test", "above zero"),
        ({"train": "100"}, "train", "integer"),
        ({"train": 10_000}, "train", "lower it"),
        ({"test": 500}, "test", "lower it"),
        ({"train": 1}, "train", "leave none for class '5'"),
        ({"seed": -1}, "seed", "must not be negative"),
        ({"size": 0}, "size", "above zero"),
        ({"test_fraction": 0.0}, "test_fraction", "above 0 and below 1"),
        ({"test_fraction": 1.0}, "test_fraction", "above 0 and below 1"),
    ],
)
def test_bad_options(tmp_path, changes, key, said):
    message = refused(tmp_path, digits(**changes))
    assert message.startswith(f"study.yaml: data.x.{key}: ")
    assert said in message


def test_missing_classes(tmp_path):
    assert refused(tmp_path, {"source": "digits"}).startswith("study.yaml: data.x.classes: missing")


# ------------------------------------------------------------------------------------------------ folders and zips


def png(side=32, mode="RGB", seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, "png")
    return buffer.getvalue()


@pytest.fixture
def images():
    """Names and contents of a good source, to be spoilt."""
    return {
        f"{part}/{name}/{number}.png": png(seed=number)
        for part in ("train", "test")
        for name in ("cat", "dog")
        for number in range(3)
    }


def as_directory(tmp_path, images):
    root = tmp_path / "images"
    for name, content in images.items():
        if name.endswith("/"):
            (root / name).mkdir(parents=True)
        else:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)
    return root


def as_zip(tmp_path, images):
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in images.items():
            archive.writestr(name, content)
    return path


both = pytest.mark.parametrize("build", [as_directory, as_zip])


def folder(path, **changes):
    return {"source": "folder", "path": None if path is None else str(path), "classes": PAIR, **changes}


def test_the_good_source_is_accepted(tmp_path, images):
    """Or the tests below would pass for another reason than the one they name."""
    for number, build in enumerate((as_directory, as_zip)):
        out = tmp_path / str(number)
        data.prepare(folder(build(tmp_path, images)), out, "data.x")
        assert [path.name for path in out.iterdir()] == ["split.safetensors"]


def test_no_path(tmp_path):
    assert refused(tmp_path, folder(None)) == (
        "study.yaml: data.x.path: not set; give it in the study file or with --config images=PATH"
    )


def test_a_path_that_is_not_there(tmp_path):
    path = tmp_path / "nowhere"
    assert refused(tmp_path, folder(path)).startswith(f"study.yaml: data.x.path: {path} not found; name ")


@both
def test_a_missing_class(tmp_path, images, build):
    message = refused(tmp_path, folder(build(tmp_path, images), classes={"negative": ["cat"], "positive": ["horse"]}))
    assert message.startswith("study.yaml: data.x.classes: no 'horse' among the train images")
    assert message.endswith("cat, dog")


@both
def test_a_class_missing_from_one_part(tmp_path, images, build):
    kept = {name: content for name, content in images.items() if not name.startswith("test/dog")}
    message = refused(tmp_path, folder(build(tmp_path, kept)))
    assert message.startswith("study.yaml: data.x.classes: no 'dog' among the test images")


@both
def test_an_empty_class_folder(tmp_path, images, build):
    kept = {name: content for name, content in images.items() if not name.startswith("train/dog")}
    path = build(tmp_path, {**kept, "train/dog/": b""})
    assert refused(tmp_path, folder(path)).startswith(f"{path}: train/dog/ holds no images; expected ")


@both
def test_a_class_folder_without_images(tmp_path, images, build):
    kept = {name: content for name, content in images.items() if not name.startswith("test/cat")}
    path = build(tmp_path, {**kept, "test/cat/readme.txt": b"none here"})
    assert refused(tmp_path, folder(path)).startswith(f"{path}: test/cat/ holds no images; expected ")


@both
@pytest.mark.parametrize("part", ["train", "test"])
def test_no_folder_for_a_part(tmp_path, images, build, part):
    path = build(tmp_path, {name: content for name, content in images.items() if not name.startswith(part)})
    assert refused(tmp_path, folder(path)).startswith(f"{path}: no {part}/ folder with classes; expected ")


@both
def test_an_image_of_another_size(tmp_path, images, build):
    path = build(tmp_path, {**images, "test/dog/1.png": png(side=28)})
    message = refused(tmp_path, folder(path))
    assert message.startswith(f"{path}: test/dog/1.png: 28×28 pixels, expected 32×32; ")


@both
@pytest.mark.parametrize("mode", ["RGBA", "I;16"])
def test_an_image_of_another_mode(tmp_path, images, build, mode):
    content = io.BytesIO()
    Image.new(mode, (32, 32)).save(content, "png")
    path = build(tmp_path, {**images, "train/cat/2.png": content.getvalue()})
    assert refused(tmp_path, folder(path)).startswith(f"{path}: train/cat/2.png: color mode {mode}, expected RGB")


@both
@pytest.mark.parametrize("content", [b"", b"not an image", png()[:1500], png()[:40]])
def test_an_unreadable_image(tmp_path, images, build, content):
    path = build(tmp_path, {**images, "train/cat/0.png": content})
    assert refused(tmp_path, folder(path)).startswith(f"{path}: train/cat/0.png: not a readable image")


def saved(image, kind="png", **options):
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def sixteen_bits():
    """A PNG of 16 bits a color, which Pillow reads and does not write."""
    header = struct.pack(">IIBBBBB", 32, 32, 16, 2, 0, 0, 0)
    rows = b"".join(b"\0" + bytes(range(192)) for _ in range(32))

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


GREY = Image.linear_gradient("L").resize((32, 32))
RGB = GREY.convert("RGB")
LOSE = {
    "16 bits": (sixteen_bits, "16 bits a color, expected 8"),
    "a turned JPEG": (lambda: saved(RGB, "jpeg", exif=turned(6)), "is turned by its EXIF orientation, 6"),
    "a turned PNG": (lambda: saved(RGB, exif=turned(3)), "is turned by its EXIF orientation, 3"),
    "a transparent color": (lambda: saved(RGB, transparency=(0, 0, 0)), "has transparent colors"),
    "a transparent grey": (lambda: saved(GREY, transparency=3), "has transparent colors"),
    "a transparent entry of a palette": (lambda: saved(RGB.quantize(), transparency=0), "has transparent colors"),
    "frames": (lambda: saved(RGB, save_all=True, append_images=[RGB.rotate(90)]), "has 2 frames"),
    "another format": (lambda: saved(RGB, "gif"), "not a readable image"),
}


@both
@pytest.mark.parametrize("case", LOSE)
def test_an_image_that_would_lose_something_is_refused(tmp_path, images, build, case):
    make, said = LOSE[case]
    path = build(tmp_path, {**images, "train/cat/1.png": make()})
    assert refused(tmp_path, folder(path)).startswith(f"{path}: train/cat/1.png: {said}")


@pytest.mark.parametrize("content", [saved(RGB, "jpeg", exif=turned(1)), saved(RGB.quantize()), saved(GREY)])
def test_an_image_that_loses_nothing_is_taken(tmp_path, images, content):
    data.prepare(folder(as_zip(tmp_path, {**images, "train/cat/1.png": content})), tmp_path / "out", "data.x")


@both
@pytest.mark.parametrize("name", ["train/cat/3.webp", "test/dog/3.PNG.bak", "train/dog/3", "train/cat/more/3.png"])
def test_a_file_of_a_class_that_would_not_be_read_is_refused(tmp_path, images, build, name):
    path = build(tmp_path, {**images, name: png()})
    shown = "train/cat/more/" if "more" in name and build is as_directory else name
    assert refused(tmp_path, folder(path)).startswith(f"{path}: {shown} would not be read")


@both
def test_what_is_no_image_may_lie_beside_images(tmp_path, images, build):
    others = ("train/cat/.DS_Store", "train/cat/Thumbs.db", "train/dog/readme.txt", "train/horse/a.gif")
    data.prepare(folder(build(tmp_path, {**images, **dict.fromkeys(others, b"")})), tmp_path / "out", "data.x")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_that_holds_a_name_twice_is_refused(tmp_path, images):
    path = as_zip(tmp_path, images)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("train/cat/1.png", png(seed=9))
    assert refused(tmp_path, folder(path)).startswith(f"{path}: holds train/cat/1.png 2 times")


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@both
def test_names_of_classes_match_in_either_form_of_unicode(tmp_path, images, build, form):
    written = {unicodedata.normalize(form, name.replace("cat", "chaté")): content for name, content in images.items()}
    path = build(tmp_path, written)
    for other in ("NFC", "NFD"):
        pair = {"negative": [unicodedata.normalize(other, "chaté")], "positive": ["dog"]}
        record = data.prepare(folder(path, classes=pair), tmp_path / f"out{other}", "data.x")
        assert record["counts"]["train"] == {"chaté": 3, "dog": 3}


def test_a_pipe_is_not_read(tmp_path, images):
    path = as_directory(tmp_path, images)
    (path / "train/cat/0.png").unlink()
    os.mkfifo(path / "train/cat/0.png")
    assert refused(tmp_path, folder(path)).startswith(f"{path}/train/cat/0.png: no regular file; ")
    os.mkfifo(tmp_path / "images.zip")
    assert "neither a folder nor a regular file" in refused(tmp_path, folder(tmp_path / "images.zip"))


def test_an_entry_that_is_too_large_is_refused_before_it_is_read(tmp_path, images):
    path = as_zip(tmp_path, images)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("train/cat/9.png", "w") as entry:
        for _ in range(65):
            entry.write(bytes(2**20))
    assert refused(tmp_path, folder(path)) == f"{path}: train/cat/9.png: 65 MiB, too large for one image; remove it"


def test_images_without_contrast(tmp_path, images):
    black = io.BytesIO()
    Image.new("RGB", (32, 32)).save(black, "png")
    path = as_directory(tmp_path, dict.fromkeys(images, black.getvalue()))
    assert refused(tmp_path, folder(path)).startswith("study.yaml: data.x: the training images have a channel without")


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_truncated_zip(tmp_path, images, share):
    path = as_zip(tmp_path, images)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert refused(tmp_path, folder(path)).startswith(f"{path}: neither a directory nor a complete zip file; ")


def test_a_corrupted_zip(tmp_path, images):
    path = as_zip(tmp_path, images)
    content = bytearray(path.read_bytes())
    content[1000:1010] = bytes(10)  # within the first image
    path.write_bytes(content)
    assert refused(tmp_path, folder(path)).startswith(f"{path}: train/cat/0.png cannot be read (damaged")


def test_an_image_that_cannot_be_opened(tmp_path, images):
    path = as_directory(tmp_path, images)
    (path / "train/cat/0.png").unlink()
    (path / "train/cat/0.png").symlink_to(tmp_path / "gone.png")
    assert refused(tmp_path, folder(path)).startswith(f"{path}/train/cat/0.png: cannot be read")


# ------------------------------------------------------------------------------------------------ prepared splits


@pytest.fixture
def split(tmp_path):
    """A folder as the data stage leaves it."""
    record = data.prepare(digits(train=20, test=10), tmp_path / "split", "data.x")
    artifacts.write_manifest(tmp_path / "split", ["split.safetensors"], record)
    return tmp_path / "split"


def not_loaded(path):
    with pytest.raises(UserError) as caught:
        data.load(path)
    message = str(caught.value)
    assert message.splitlines() == [message]
    return message


def test_a_split_without_manifest(split):
    (split / "manifest.json").unlink()
    assert not_loaded(split).startswith(f"{split}/manifest.json: not found")


def test_a_split_that_was_changed(split):
    content = bytearray((split / "split.safetensors").read_bytes())
    content[-1] ^= 1
    (split / "split.safetensors").write_bytes(content)
    assert not_loaded(split).startswith(f"{split}/split.safetensors: does not match its checksum")


def test_another_folder_of_artifacts(tmp_path):
    artifacts.write_manifest(tmp_path, [], {})
    assert not_loaded(tmp_path).startswith(f"{tmp_path}: holds no prepared split; ")
