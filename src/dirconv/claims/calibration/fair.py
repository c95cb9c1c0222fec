"""A fair mix: neither hard nor easy on purpose, to say how often the rules decide nothing.

The plain forms in equal parts: paths that converge, from fast to very slow, and paths that creep, drift or circle; with
the noise of a run that is followed with some care. It was written down before it was first judged, and no rule was
changed since. Its forms are those of the tuning set without the ones that were put there to be hard.
"""

from __future__ import annotations

import numpy as np

from dirconv.claims.calibration import tuning
from dirconv.claims.calibration._forms import PER_FAMILY, Family

PLAIN = (
    *("power", "slow power", "exponential", "two exponentials"),
    *("creep", "power below one", "drift", "circling"),
)


def noise(random: np.random.Generator, count: int) -> np.ndarray:
    """Independent log-normal factors, of 0, 2, 5 or 10 %."""
    return np.exp(random.choice([0.0, 0.02, 0.05, 0.1]) * random.normal(size=count))


def _family(name: str) -> Family:
    given = tuning.FAMILIES[name]
    return Family(given.draw, given.converges, given.aligns, PER_FAMILY)


FAMILIES = {name: _family(name) for name in PLAIN}
