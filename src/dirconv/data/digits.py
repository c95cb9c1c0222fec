"""The 1,797 handwritten digits that come with scikit-learn: 8×8, 17 grey levels. Needs no network.

They are the test part of UCI's Optical Recognition of Handwritten Digits (Alpaydin & Kaynak, 1998) and come without a
split: `test_fraction` of each digit's images are held out, drawn with the selection's seed, whichever classes are
chosen.
"""

from __future__ import annotations

import hashlib
from typing import Literal

from dirconv.data import Pool, Selection, Source, _draw
from dirconv.options import configurable

NUMERICS = 1
LEVELS = 16


@configurable
class Spec(Selection):
    """Options of the source; classes are the digits 0 … 9."""

    source: Literal["digits"] = "digits"
    test_fraction: float = 0.2  # of each digit's images

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.test_fraction < 1:
            raise ValueError(f"test_fraction: must be above 0 and below 1, got {self.test_fraction}")


def load(spec: Spec, where: str) -> Source:
    """All digits, divided; images are (n, 1, 8, 8), index is their number in scikit-learn."""
    import numpy as np
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = bunch.images.astype(np.uint8)[:, None]
    targets = bunch.target.astype(np.uint8)
    random = _draw.generator(spec.seed, "divide")
    held_out = np.zeros(len(targets), dtype=bool)
    for digit in range(10):
        images_of = random.permutation(np.flatnonzero(targets == digit))
        held_out[images_of[: np.clip(round(spec.test_fraction * len(images_of)), 1, len(images_of) - 1)]] = True

    def pool(part: np.ndarray) -> Pool:
        index = np.flatnonzero(part)
        return Pool(images=images[index], classes=targets[index].astype(str), index=index.astype(np.int64))

    return Source(
        train=pool(~held_out),
        test=pool(held_out),
        levels=LEVELS,
        variant="scikit-learn digits (1,797 images of 8×8)",
        checksum=hashlib.sha256(images.tobytes() + targets.tobytes()).hexdigest(),
    )
