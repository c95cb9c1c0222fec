"""The families that the rules were tuned on.

The last eight are what real flows showed (docs/verdicts.md): *transients* that a run is too short to see the end of;
*ridges*, on which the speed stands still over half a decade of τ to two, until another example joins the least margins;
*chatter*, the length that steps add to the recorded path by jumping to and fro across kinks, and by which chords are
off; two speeds; slow powers. Each comes with paths that converge and with paths that creep.
"""

import dataclasses
import functools
import math

import numpy as np

from dirconv.claims.calibration import PER_FAMILY, Family, Speed, between

NUMERICS = 2
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


def _transient(random: np.random.Generator, creeps: bool) -> Speed:
    """A power or an exponential that has hardly begun to decay, or a fast exponential before a creep; to τ ≤ 3."""
    end, size, shift = between(random, 0.5, 3), between(random, 0.3, 5), between(random, 0.3, 10)
    exponent, rate = random.uniform(1.5, 4), between(random, 2, 10)
    if creeps:
        return Speed(lambda tau: size * np.exp(-rate * tau) + 0.2 * size / (1 + tau), end)
    if random.random() < 0.5:
        return Speed(lambda tau: size * np.exp(-tau / shift), end)
    return Speed(lambda tau: size * (1 + tau / shift) ** -exponent, end)


def _ridge(random: np.random.Generator, creeps: bool) -> Speed:
    """A power of τ up to the ridge, a standstill as long as 3 to 100 times that, a power or 1/τ from there on."""
    end, size, exponent = between(random, 1.5, 60), between(random, 0.3, 20), random.uniform(1.2, 4)
    first = end * between(random, 0.01, 0.3)
    shift, last = first * between(random, 0.05, 1), first * between(random, 3, 100)
    after = 1.0 if creeps else exponent

    def at(tau: np.ndarray) -> np.ndarray:
        before = size * (1 + np.minimum(tau, first) / shift) ** -exponent
        return before * (1 + np.maximum(tau - last, 0.0) / (shift + first)) ** -after

    return Speed(at, end)


def _chatter(random: np.random.Generator, creeps: bool) -> Speed:
    """A plain form to τ ≥ 3; chatter of 3 % to three times its speed at the end, jumps of up to half the last chord."""
    form = FAMILIES["creep" if creeps else random.choice(["power", "slow power"])].draw(random)
    end = between(random, 3, 60)
    last = float(form.at(np.array(end)))
    chord = last * (1 + end) * (1 - 2 ** (-1 / 8))
    chatter, jump = between(random, 0.03, 3) * last, between(random, 0.03, 0.5) * chord
    return dataclasses.replace(form, end=end, chatter=chatter, jump=jump, landed=True)


def _two_speeds(random: np.random.Generator) -> Speed:
    """A fast exponential, and a power below one that shows when it is over."""
    end, size, rest = between(random, 1.5, 60), between(random, 0.5, 10), between(random, 0.05, 1)
    rate, exponent = between(random, 0.3, 5), random.uniform(0.3, 1)
    return Speed(lambda tau: size * np.exp(-rate * tau) + rest * (1 + tau) ** -exponent, end)


def _slow_to_100(random: np.random.Generator) -> Speed:
    """A power of 1.1 to 1.5, followed to τ = 100 at most."""
    return dataclasses.replace(_power(random, 1.1, 1.5), end=between(random, 20, 100), landed=True)


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
    "transient": Family(functools.partial(_transient, creeps=False), converges=True, aligns=True),
    "transient, then creep": Family(functools.partial(_transient, creeps=True), converges=False, aligns=True),
    "ridge": Family(functools.partial(_ridge, creeps=False), converges=True, aligns=True),
    "ridge, then creep": Family(functools.partial(_ridge, creeps=True), converges=False, aligns=True),
    "chatter": Family(functools.partial(_chatter, creeps=False), converges=True, aligns=True),
    "chatter on a creep": Family(functools.partial(_chatter, creeps=True), converges=False, aligns=True),
    "slow power to 100": Family(_slow_to_100, converges=True, aligns=True),
    "two speeds": Family(_two_speeds, converges=False, aligns=True),
}
