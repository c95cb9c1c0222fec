"""The CIFAR-10 source through torchvision's own download, verification and unpacking, from a server on this machine.

The archive is made in CIFAR's format (pickled batches in a tar.gz) and torchvision is told its checksums.
"""

import hashlib
import http.server
import io
import pickle
import tarfile
import threading

import numpy as np
import pytest
from torchvision.datasets import CIFAR10

from dirconv import data
from dirconv.errors import UserError

NAMES = ["airplane", "automobile", "bird"]
BATCHES = ["data_batch_1", "data_batch_2", "test_batch"]
PER_BATCH = 12


def batch(number):
    """Rows of 3,072 bytes (the red channel first, row by row) and labels."""
    random = np.random.default_rng(number)
    return random.integers(0, 256, (PER_BATCH, 3072), dtype=np.uint8), [i % len(NAMES) for i in range(PER_BATCH)]


def contents():
    """The archive's files."""
    found = {"batches.meta": pickle.dumps({"label_names": NAMES})}
    for number, name in enumerate(BATCHES):
        rows, labels = batch(number)
        found[name] = pickle.dumps({"data": rows, "labels": labels})
    return found


def md5(content):
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def packed():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in contents().items():
            info = tarfile.TarInfo(f"{CIFAR10.base_folder}/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def served(tmp_path, monkeypatch):
    """The file that the server gives for the archive; its requests are counted in `served.requests`."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        requests = 0

        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(folder))

        def do_GET(self):
            Handler.requests += 1
            super().do_GET()

        def log_message(self, *arguments):
            pass

    class Served:
        file = folder / CIFAR10.filename
        handler = Handler

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    original = packed()
    Served.file.write_bytes(original)
    found = contents()
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(CIFAR10, "url", f"http://127.0.0.1:{server.server_port}/{CIFAR10.filename}")
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5(original))
    monkeypatch.setattr(CIFAR10, "train_list", [[name, md5(found[name])] for name in BATCHES[:2]])
    monkeypatch.setattr(CIFAR10, "test_list", [[name, md5(found[name])] for name in BATCHES[2:]])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": md5(found["batches.meta"])})
    yield Served
    server.shutdown()
    server.server_close()
    thread.join()


def options(tmp_path, **changes):
    classes = {"negative": ["airplane"], "positive": ["automobile"]}
    return {"source": "cifar10", "classes": classes, "root": str(tmp_path / "root"), **changes}


def refused(tmp_path):
    """The message, one line, with which the source is refused; nothing may have been written."""
    out = tmp_path / "out"
    with pytest.raises(UserError) as caught:
        data.prepare(options(tmp_path), out, "data.x")
    assert not out.exists()
    message = str(caught.value)
    assert message.splitlines() == [message]
    return message


def test_images_are_those_of_the_batches(tmp_path, served):
    record = data.prepare(options(tmp_path, classes=NAMES), tmp_path / "out", "data.x")
    assert record["variant"] == "CIFAR-10 (torchvision)"
    assert record["levels"] == 255
    tensors = data.artifacts.read_tensors(tmp_path / "out" / "split.safetensors")
    rows = {"train": np.concatenate([batch(0)[0], batch(1)[0]]), "test": batch(2)[0]}
    labels = {"train": batch(0)[1] + batch(1)[1], "test": batch(2)[1]}
    for part in ("train", "test"):
        index = tensors[f"{part}_index"]
        assert sorted(index) == list(range(len(rows[part])))
        np.testing.assert_array_equal(tensors[f"{part}_images"], rows[part].reshape(-1, 3, 32, 32)[index])
        np.testing.assert_array_equal(tensors[f"{part}_labels"], np.array(labels[part])[index])


def test_it_is_downloaded_once_and_the_archive_may_go(tmp_path, served):
    first = data.prepare(options(tmp_path), tmp_path / "out", "data.x")
    requests = served.handler.requests
    assert requests > 0
    (tmp_path / "root" / CIFAR10.filename).unlink()
    assert data.prepare(options(tmp_path), tmp_path / "out", "data.x") == first
    assert served.handler.requests == requests


def test_a_damaged_batch_is_unpacked_again(tmp_path, served):
    first = data.prepare(options(tmp_path), tmp_path / "out", "data.x")
    (tmp_path / "root" / CIFAR10.base_folder / "data_batch_1").write_bytes(b"damaged")
    assert data.prepare(options(tmp_path), tmp_path / "out", "data.x") == first


def test_a_corrupted_archive_is_refused(tmp_path, served):
    content = bytearray(served.file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    served.file.write_bytes(content)
    message = refused(tmp_path)
    assert message.startswith(f"{tmp_path / 'root' / CIFAR10.filename}: not the published CIFAR-10")


def test_a_truncated_archive_is_refused_and_then_downloaded_afresh(tmp_path, served):
    whole = served.file.read_bytes()
    served.file.write_bytes(whole[: len(whole) // 2])
    assert "not the published CIFAR-10" in refused(tmp_path)
    served.file.write_bytes(whole)
    assert data.prepare(options(tmp_path), tmp_path / "out", "data.x")["counts"]["test"]["airplane"] == 4


def test_an_archive_that_cannot_be_unpacked_is_refused(tmp_path, served, monkeypatch):
    content = served.file.read_bytes()[:2000]
    served.file.write_bytes(content)
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5(content))  # so that unpacking is what meets the damage
    assert refused(tmp_path).startswith(f"{tmp_path / 'root' / CIFAR10.filename}: cannot be unpacked")


def test_other_batches_than_the_published_are_refused(tmp_path, served, monkeypatch):
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", md5(b"another")]])
    assert "not the published CIFAR-10" in refused(tmp_path)


def test_without_a_network_the_remedy_is_named(tmp_path, served, monkeypatch):
    served.file.unlink()  # the server's 404 is one URLError, a closed port another
    for url in (CIFAR10.url, "http://127.0.0.1:9/cifar-10-python.tar.gz"):
        monkeypatch.setattr(CIFAR10, "url", url)
        message = refused(tmp_path)
        assert message.startswith("data.x.root: CIFAR-10 is not in ")
        assert "source: folder" in message


def test_a_page_in_place_of_the_archive_is_said_to_be_none(tmp_path, served, monkeypatch):
    archive = tmp_path / "root" / CIFAR10.filename
    archive.parent.mkdir()
    archive.write_text("<html>sign in</html>")
    served.file.unlink()
    message = refused(tmp_path)
    assert message.startswith(f"{archive}: not the published archive (damaged, or another file)")
    assert message.endswith(f"replace it with the published {CIFAR10.filename}")


def test_a_root_that_is_a_file_is_refused(tmp_path, served):
    (tmp_path / "root").write_text("in the way")
    assert refused(tmp_path).startswith("data.x.root: ")
