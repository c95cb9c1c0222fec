"""Prepared splits, through files as a study has them."""

import numpy as np

from dirconv import artifacts, data


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
