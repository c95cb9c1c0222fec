"""Stratified subsets: which images of a source a study uses, from its selection's seed alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dirconv.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from dirconv.data import Selection

STREAMS = ("train", "test", "divide")  # each has random numbers of its own, so that one part never moves another


def generator(seed: int, stream: str) -> np.random.Generator:
    """The random numbers (PCG64) of one of `STREAMS`."""
    import numpy as np

    return np.random.Generator(np.random.PCG64([seed, STREAMS.index(stream)]))


def shares(available: list[int], total: int) -> list[int]:
    """`total` ≤ Σ available as integers proportional to `available`: the method of largest remainders, exactly."""
    everything = sum(available)
    counts = [total * count // everything for count in available]
    remainders = [total * count % everything for count in available]
    largest = sorted(range(len(available)), key=lambda i: -remainders[i])  # stable: ties go to the first class
    for i in largest[: total - sum(counts)]:
        counts[i] += 1
    return counts


def positions(classes: np.ndarray, spec: Selection, part: str, where: str) -> np.ndarray:
    """Positions, in random order, of the images of a part that `spec` selects.

    classes: (n,), the class of each image of the part. UserError if a class is missing, if there are fewer images
    than asked for, or so few are asked for that a class has none.
    """
    import numpy as np

    found = set(classes.tolist())
    for name in spec.names:
        if name not in found:
            known = ", ".join(sorted(found))
            raise UserError(f"{where}.classes: no {name!r} among the {part} images; name some of: {known}")
    random = generator(spec.seed, part)
    members = [random.permutation(np.flatnonzero(classes == name)) for name in spec.names]
    available = [len(member) for member in members]
    wanted = getattr(spec, part)
    if wanted is None:
        wanted = sum(available)
    if wanted > sum(available):
        raise UserError(f"{where}.{part}: {wanted} images asked for, the classes have {sum(available)}; lower it")
    counts = shares(available, wanted)
    if min(counts) == 0:
        name = spec.names[counts.index(0)]
        raise UserError(f"{where}.{part}: {wanted} images leave none for class {name!r}; ask for more")
    return random.permutation(np.concatenate([m[:count] for m, count in zip(members, counts, strict=True)]))
