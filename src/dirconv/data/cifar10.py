"""CIFAR-10 (Krizhevsky, 2009) as torchvision downloads, verifies and unpacks it: 60,000 color images of 32×32."""

from __future__ import annotations

import http.client
import tarfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dirconv import artifacts
from dirconv.data import Pool, Selection, Source
from dirconv.errors import UserError
from dirconv.options import configurable

if TYPE_CHECKING:
    from torchvision.datasets import CIFAR10

NUMERICS = 1
LEVELS = 255


@configurable
class Spec(Selection):
    """Options of the source; classes are airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck."""

    source: Literal["cifar10"] = "cifar10"
    root: str = ".cache/cifar10"  # folder of the archive and its unpacked batches, downloaded if missing


def load(spec: Spec, where: str) -> Source:
    """The official training and test images (n, 3, 32, 32); index is their number in the published batches.

    UserError if they are not in `root` and cannot be downloaded, or differ from the published ones.
    """
    from torchvision.datasets import CIFAR10

    root = Path(spec.root)
    try:
        train, test = (CIFAR10(root, train=part, download=True) for part in (True, False))
    except (RuntimeError, tarfile.TarError, EOFError, zlib.error, OSError, http.client.HTTPException) as error:
        cause = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        archive = root / CIFAR10.filename
        if isinstance(error, RuntimeError):  # torchvision raises it for a checksum that does not match
            message = f"{archive}: not the published CIFAR-10 ({cause}); delete it and run again, or use source: folder"
        elif isinstance(error, tarfile.TarError | EOFError | zlib.error):
            message = f"{archive}: cannot be unpacked ({cause}); delete it and run again"
        elif archive.exists():  # its checksum is another: a page of an error or a login, or half a download
            message = (
                f"{archive}: not the published archive (damaged, or another file), and it cannot be downloaded "
                f"({cause}); replace it with the published {CIFAR10.filename}"
            )
        else:  # URLError is an OSError
            message = (
                f"{where}.root: CIFAR-10 is not in {root} and cannot be downloaded to it ({cause}); "
                f"put {CIFAR10.filename} there, or use source: folder"
            )
        raise UserError(message) from error
    files = [name for name, _ in (*CIFAR10.train_list, *CIFAR10.test_list)]
    return Source(
        train=_pool(train),
        test=_pool(test),
        levels=LEVELS,
        variant="CIFAR-10 (torchvision)",
        # of the batches: the archive may have been deleted after it was unpacked
        checksum=artifacts.digest({name: artifacts.sha256(root / CIFAR10.base_folder / name) for name in files}),
    )


def _pool(dataset: CIFAR10) -> Pool:
    import numpy as np

    return Pool(
        images=dataset.data.transpose(0, 3, 1, 2),
        classes=np.array(dataset.classes)[dataset.targets],
        index=np.arange(len(dataset.targets)),
    )
