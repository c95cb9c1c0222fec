"""A mix, neither hard nor easy on purpose: how often do the rules decide nothing?

Plain forms in equal parts: paths that converge, from fast to very slow, and paths that creep, drift or circle; with
the noise of a run that is followed with some care. The set was written before it was first judged, and no rule has been
changed since. Its forms are those of the tuning set without the ones that are there to be hard.
"""

import dataclasses

import numpy as np

from dirconv.claims.calibration import PER_FAMILY, tuning

NUMERICS = 1
GOES_THROUGH = ("calibration.tuning",)
PLAIN = (
    *("power", "slow power", "exponential", "two exponentials"),
    *("creep", "power below one", "drift", "circling"),
)


def noise(random: np.random.Generator, count: int) -> np.ndarray:
    """Independent log-normal factors, of 0, 2, 5 or 10 %."""
    return np.exp(random.choice([0.0, 0.02, 0.05, 0.1]) * random.normal(size=count))


FAMILIES = {name: dataclasses.replace(tuning.FAMILIES[name], cases=PER_FAMILY) for name in PLAIN}
