"""Stratified random subsets of a source's images, from the selection's seed alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dirconv.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from dirconv.data import Selection

STREAMS = ("train", "test", "divide")  # independent random numbers: drawing one part never changes another


def generator(seed: int, stream: str) -> np.random.Generator:
    """The random generator (PCG64) of one of `STREAMS`."""
    import numpy as np

    return np.random.Generator(np.random.PCG64([seed, STREAMS.index(stream)]))


def shares(available: list[int], total: int) -> list[int]:
    """`total` ≤ Σ available, apportioned in proportion to `available` by the method of largest remainders, exactly."""
    everything = sum(available)
    counts = [total * count // everything for count in available]
    remainders = [total * count % everything for count in available]
    largest = sorted(range(len(available)), key=lambda i: -remainders[i])  # stable: ties go to the first class
    for i in largest[: total - sum(counts)]:
        counts[i] += 1
    return counts


def positions(classes: np.ndarray, spec: Selection, part: str, where: str) -> np.ndarray:
    """Positions, in random order, of the images of `part` that `spec` selects.

    classes: (n,), the class of each image of the part. UserError if a class is missing, if more images are asked for
    than there are, or so few that a class gets none.
    """
    import numpy as np

    present = set(classes.tolist())
    for name in spec.names:
        if name not in present:
            known = ", ".join(sorted(present))
            raise UserError(f"{where}.classes: no {name!r} among the {part} images; name some of: {known}")
    random = generator(spec.seed, part)
    of_class = [random.permutation(np.flatnonzero(classes == name)) for name in spec.names]
    available = [len(images) for images in of_class]
    total = sum(available) if getattr(spec, part) is None else getattr(spec, part)
    if total > sum(available):
        raise UserError(f"{where}.{part}: {total} images asked for, the classes have {sum(available)}; lower it")
    counts = shares(available, total)
    if min(counts) == 0:
        name = spec.names[counts.index(0)]
        raise UserError(f"{where}.{part}: {total} images leave none for class {name!r}; ask for more")
    return random.permutation(np.concatenate([images[:count] for images, count in zip(of_class, counts, strict=True)]))
