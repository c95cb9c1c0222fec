"""A mix of runs to τ = 20 or more, neither hard nor easy on purpose: how often do the rules decide nothing?

Forms in equal parts, in the natural unit of τ: paths that converge, fast and slowly, behind a transient or a ridge of
half a decade; and paths that creep, drift, circle, or do so behind a fast transient. They are seen where a method
lands, τ = 2^(k/8) − 1, with the noise of a run that is followed with some care. The set was written before it was first
judged, and no rule has been changed since.
"""

import dataclasses
from functools import partial

import numpy as np

from dirconv.claims.calibration import Family, Speed, between, tuning

NUMERICS = 2
GOES_THROUGH = ("calibration.tuning",)
_end = partial(between, low=20, high=100)


def noise(random: np.random.Generator, count: int) -> np.ndarray:
    """Independent log-normal factors, of 0, 2, 5 or 10 %."""
    return np.exp(random.choice([0.0, 0.02, 0.05, 0.1]) * random.normal(size=count))


def _plain(random: np.random.Generator, name: str) -> Speed:
    """A form of the tuning set that has no time of its own."""
    return tuning.FAMILIES[name].draw(random)


def _exponential(random: np.random.Generator) -> Speed:
    size, rate = between(random, 0.3, 5), between(random, 0.05, 1)
    return Speed(lambda tau: size * np.exp(-rate * tau), 0)


def _after_a_transient(random: np.random.Generator) -> Speed:
    """A power below one up to τ = 3 to 16, one above from there on."""
    size, turn, before = between(random, 0.1, 1), between(random, 3, 16), random.uniform(0, 0.9)
    after = random.uniform(1.3, 4)
    return Speed(lambda tau: size * (1 + tau) ** -before * (1 + (tau / turn) ** 3) ** (-(after - before) / 3), 0)


def _after_a_ridge(random: np.random.Generator) -> Speed:
    """A power above one, with a standstill of half a decade that begins at τ = 1 to 5."""
    size, shift, exponent = between(random, 0.3, 5), between(random, 0.1, 1), random.uniform(1.2, 3)
    first = between(random, 1, 5)
    last = first * 10**0.5

    def at(tau: np.ndarray) -> np.ndarray:
        behind = np.minimum(tau, first) + np.maximum(tau - last, 0)
        return size * (1 + behind / shift) ** -exponent

    return Speed(at, 0)


def _drift(random: np.random.Generator) -> Speed:
    size, rate, rest = between(random, 0.3, 10), between(random, 0.1, 3), between(random, 0.1, 1.5)
    return Speed(lambda tau: rest + size * np.exp(-rate * tau), 0)


def _two_speeds(random: np.random.Generator) -> Speed:
    """A fast exponential, and 1/τ or a power below one behind it."""
    size, rate, rest = between(random, 0.3, 5), between(random, 0.3, 3), between(random, 0.05, 1)
    exponent = random.uniform(0.3, 1)
    return Speed(lambda tau: size * np.exp(-rate * tau) + rest * (1 + tau) ** -exponent, 0)


def _long(form, random: np.random.Generator) -> Speed:
    """The same, observed to τ = 20 to 100 where a method lands."""
    return dataclasses.replace(form(random), end=_end(random), landed=True)


def _family(form, converges: bool, aligns: bool = True) -> Family:
    return Family(partial(_long, form), converges=converges, aligns=aligns)


FAMILIES = {
    "power": _family(partial(_plain, name="power"), converges=True),
    "slow power": _family(partial(_plain, name="slow power to 100"), converges=True),
    "exponential": _family(_exponential, converges=True),
    "after a transient": _family(_after_a_transient, converges=True),
    "after a ridge": _family(_after_a_ridge, converges=True),
    "creep": _family(partial(_plain, name="creep"), converges=False),
    "power below one": _family(partial(_plain, name="power below one"), converges=False),
    "two speeds": _family(_two_speeds, converges=False),
    "circling": _family(partial(_plain, name="circling"), converges=False, aligns=False),
    "drift": _family(_drift, converges=False, aligns=False),
}
