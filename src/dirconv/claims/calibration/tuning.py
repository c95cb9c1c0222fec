"""The families that the rules were tuned on."""

import functools
import math

import numpy as np

from dirconv.claims.calibration import PER_FAMILY, Family, Speed, between

NUMERICS = 1
_end = functools.partial(between, low=1.5, high=30)


def noise(random: np.random.Generator, count: int) -> np.ndarray:
    """Independent log-normal factors, of 0, 2, 10 or 30 %."""
    return np.exp(random.choice([0.0, 0.02, 0.1, 0.3]) * random.normal(size=count))


def _power(random: np.random.Generator, low: float, high: float) -> Speed:
    exponent, shift, size = random.uniform(low, high), between(random, 0.02, 0.5), between(random, 0.3, 20)
    return Speed(lambda tau: size * (1 + tau / shift) ** -exponent, _end(random))


def _exponential(random: np.random.Generator, low: float, high: float) -> Speed:
    end, size = _end(random), between(random, 0.3, 5)
    rate = between(random, low, high) / end
    return Speed(lambda tau: size * np.exp(-rate * tau), end)


def _two_exponentials(random: np.random.Generator) -> Speed:
    end, size, share = _end(random), between(random, 0.3, 5), random.uniform(0.05, 0.5)
    slow = between(random, 2, 8) / end
    fast = slow * between(random, 3, 20)
    return Speed(lambda tau: size * ((1 - share) * np.exp(-fast * tau) + share * np.exp(-slow * tau)), end)


def _creep(random: np.random.Generator) -> Speed:
    shift, size = between(random, 0.02, 0.5), between(random, 0.1, 1)
    return Speed(lambda tau: size / (tau + shift), _end(random))


def _circling(random: np.random.Generator) -> Speed:
    size = between(random, 0.2, 3)
    return Speed(lambda tau: np.full_like(tau, size), _end(random))


def _drift(random: np.random.Generator) -> Speed:
    end, size, rest = _end(random), between(random, 0.3, 10), between(random, 0.2, 2)
    rate = between(random, 3, 30) / end
    return Speed(lambda tau: rest + size * np.exp(-rate * tau), end)


def _stretched(random: np.random.Generator) -> Speed:
    """exp(−(cτ)^β)."""
    end, size, beta = _end(random), between(random, 0.2, 8), random.uniform(0.4, 0.9)
    rate = between(random, 0.3, 40) / end
    return Speed(lambda tau: size * np.exp(-((rate * tau) ** beta)), end)


def _stairs(random: np.random.Generator, low: float, high: float) -> Speed:
    """A power whose level jumps where the support changes."""
    end, exponent, size = _end(random), random.uniform(low, high), between(random, 0.2, 8)
    shift = end * between(random, 0.002, 0.05)
    jumps = np.sort(end * np.exp(random.uniform(math.log(0.003), 0, size=int(random.integers(3, 40)))))
    levels = np.exp(0.25 * random.normal(size=len(jumps) + 1))
    return Speed(lambda tau: size * (1 + tau / shift) ** -exponent * levels[np.searchsorted(jumps, tau)], end)


def _slower_creep(random: np.random.Generator) -> Speed:
    """1/(τ ln τ): a path that grows like ln ln τ."""
    shift, size = between(random, 0.02, 0.5), between(random, 0.3, 2)
    return Speed(lambda tau: size / ((tau + shift) * np.log(math.e + tau / shift)), between(random, 1.2, 300))


FAMILIES = {
    "power": Family(lambda random: _power(random, 1.3, 4), converges=True, aligns=True),
    "slow power": Family(lambda random: _power(random, 1.05, 1.3), converges=True, aligns=True),
    "exponential": Family(lambda random: _exponential(random, 1, 15), converges=True, aligns=True),
    "slow exponential": Family(lambda random: _exponential(random, 0.2, 1), converges=True, aligns=True),
    "two exponentials": Family(_two_exponentials, converges=True, aligns=True),
    "stretched exponential": Family(_stretched, converges=True, aligns=True),
    "slow stairs": Family(lambda random: _stairs(random, 1.05, 2), converges=True, aligns=True),
    "creep": Family(_creep, converges=False, aligns=True),
    "power below one": Family(lambda random: _power(random, 0.3, 0.95), converges=False, aligns=True),
    "creep like ln ln": Family(_slower_creep, converges=False, aligns=True),
    "stairs below one": Family(lambda random: _stairs(random, 0.2, 0.95), converges=False, aligns=True),
    "circling": Family(_circling, converges=False, aligns=False, cases=2 * PER_FAMILY),
    "drift": Family(_drift, converges=False, aligns=False),
}
