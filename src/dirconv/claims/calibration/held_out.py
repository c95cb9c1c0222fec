"""The families that the rules are reported on: other forms and other noise than in `tuning`.

The last eight were written when the rules had been made to wait, before they were judged on them: transients, ridges,
chatter, two speeds and slow powers, in other forms than those that the rules were tuned on.
"""

import dataclasses
import functools
import math

import numpy as np

from dirconv.claims.calibration import PER_FAMILY, Family, Speed, between

NUMERICS = 2
_end = functools.partial(between, low=1.2, high=60)


def noise(random: np.random.Generator, count: int) -> np.ndarray:
    """Factors whose logarithms have heavy tails and are correlated from one snapshot to the next."""
    size, memory = random.choice([0.0, 0.01, 0.05, 0.15, 0.25]), random.choice([0.0, 0.3, 0.7])
    shocks = random.standard_t(5, size=count) * math.sqrt(3 / 5)
    logarithms = np.empty(count)
    last = 0.0
    for index in range(count):
        last = memory * last + math.sqrt(1 - memory**2) * shocks[index]
        logarithms[index] = last
    return np.exp(size * logarithms)


def _well(random: np.random.Generator) -> Speed:
    """x' = −(εx + x³), the gradient flow of ε x²/2 + x⁴/4: like τ^(−3/2) at first, exponential after τ = 1/ε."""
    end, start = _end(random), between(random, 0.3, 3)
    rate = between(random, 0.3, 10) / end

    def at(tau: np.ndarray) -> np.ndarray:
        x = np.sqrt(rate / ((1 + rate / start**2) * np.exp(np.minimum(2 * rate * tau, 700)) - 1))
        return rate * x + x**3

    return Speed(at, end)


def _bend(random: np.random.Generator) -> Speed:
    """A power below one that turns, smoothly and somewhere in the run, into one above."""
    end, size = _end(random), between(random, 0.2, 5)
    before, after = random.uniform(0.1, 0.8), random.uniform(1.4, 4)
    turn, sharp = end * between(random, 0.03, 0.7), random.uniform(1, 4)
    first = 0.01 * end

    def at(tau: np.ndarray) -> np.ndarray:
        x = (tau + first) / turn
        return size * x**-before * (1 + x**sharp) ** (-(after - before) / sharp)

    return Speed(at, end)


def _wave(random: np.random.Generator) -> Speed:
    """An exponential with a wave on it, as of a complex pair of eigenvalues."""
    end, size = _end(random), between(random, 0.2, 5)
    rate, height = between(random, 2, 20) / end, random.uniform(0.1, 0.7)
    turns, phase = between(random, 1, 12), random.uniform(0, 2 * math.pi)
    return Speed(
        lambda tau: size * np.exp(-rate * tau) * (1 + height * np.sin(2 * math.pi * turns * tau / end + phase)), end
    )


def _valley(random: np.random.Generator) -> Speed:
    """A valley like the Mexican hat's: τ grows like e^φ φ³ with the angle φ (φ⁴ for the map that is followed)."""
    start, turns = random.uniform(4, 15), random.uniform(0.3, 3)
    size = random.uniform(0.3, 1)
    phi = np.linspace(start, start + 2 * math.pi * turns, 20_001)
    grown = np.exp(phi - start) * (phi / start) ** 3 - 1
    scale = between(random, 0.01, 0.5)
    speed = size / (scale * (grown + 1) * (1 + 3 / phi))
    return Speed(lambda tau: np.interp(tau, scale * grown, speed), float(scale * grown[-1]))


def _late_creep(random: np.random.Generator) -> Speed:
    """A fast transient, and a creep that remains when it is over."""
    end, size, rest = _end(random), between(random, 0.5, 10), between(random, 0.1, 1)
    rate, shift = between(random, 10, 100) / end, end * between(random, 0.002, 0.05)
    return Speed(lambda tau: size * np.exp(-rate * tau) + rest / (tau + shift), end)


def _waving_circle(random: np.random.Generator) -> Speed:
    """A speed about a constant."""
    end, size, height = _end(random), between(random, 0.15, 4), random.uniform(0, 0.6)
    turns, phase = between(random, 1, 20), random.uniform(0, 2 * math.pi)
    return Speed(lambda tau: size * (1 + height * np.sin(2 * math.pi * turns * tau / end + phase)), end)


def _power_drift(random: np.random.Generator) -> Speed:
    """A power that decays to a constant."""
    end, size, rest = _end(random), between(random, 0.3, 10), between(random, 0.15, 1.5)
    exponent, shift = random.uniform(1, 4), end * between(random, 0.003, 0.05)
    return Speed(lambda tau: rest + size * (1 + tau / shift) ** -exponent, end)


def _cut(random: np.random.Generator) -> Speed:
    """A power below one that an exponential cuts off before the run ends."""
    end, size = _end(random), between(random, 0.1, 3)
    exponent, rate, first = random.uniform(0, 0.9), between(random, 2, 12) / end, end * between(random, 0.003, 0.05)
    return Speed(lambda tau: size * (1 + tau / first) ** -exponent * np.exp(-rate * tau), end)


def _wandering(random: np.random.Generator, low: float, high: float) -> Speed:
    """A power whose logarithm wanders: a walk in ln τ of up to 10 % a tenth of a decade about the straight line."""
    end, exponent, size = _end(random), random.uniform(low, high), between(random, 0.1, 8)
    first, step = end * between(random, 0.002, 0.05), random.uniform(0, 0.1)
    at = np.linspace(0, math.log(1 + end / first), 60)
    walk = np.cumsum(step * math.sqrt(at[1] / 0.23) * random.normal(size=60))

    def speed(tau: np.ndarray) -> np.ndarray:
        grown = np.log1p(tau / first)
        return size * np.exp(np.interp(grown, at, walk) - exponent * grown)

    return Speed(speed, end)


def _waving_creep(random: np.random.Generator) -> Speed:
    """1/τ with a wave in ln τ, as where a spiral is not round."""
    end, size, height = _end(random), between(random, 0.1, 1), random.uniform(0, 0.4)
    shift, pulse, phase = end * between(random, 0.002, 0.05), random.uniform(1, 9), random.uniform(0, 2 * math.pi)
    return Speed(lambda tau: size / (tau + shift) * (1 + height * np.sin(pulse * np.log(tau + shift) + phase)), end)


def _rounded(random: np.random.Generator, creeps: bool) -> Speed:
    """A speed that stands still and turns into a power, 1/√(1 + (τ/T)²)^P; cut at τ = 0.5 to 3, before T or soon after.

    Or, 1/τ with a wave behind a transient that decays like a Gaussian, cut as early.
    """
    end, size = between(random, 0.5, 3), between(random, 0.2, 4)
    turn, exponent = end * between(random, 0.3, 3), random.uniform(1.3, 5)
    if not creeps:
        return Speed(lambda tau: size * (1 + (tau / turn) ** 2) ** (-exponent / 2), end)
    pulse, rest = between(random, 2, 8), between(random, 0.05, 0.8)
    width, wave = end * between(random, 0.1, 0.5), random.uniform(0, 0.3)

    def at(tau: np.ndarray) -> np.ndarray:
        return size * np.exp(-((tau / width) ** 2)) + rest / (tau + 0.3) * (1 + wave * np.sin(pulse * np.log(tau + 1)))

    return Speed(at, end)


def _bumps(random: np.random.Generator, creeps: bool) -> Speed:
    """A power of τ with one to three humps in ln τ, as of ridges: where one rises the speed stands still, or grows.

    A hump is half a decade to a decade long.
    """
    end, size, shift = between(random, 3, 80), between(random, 0.2, 4), between(random, 0.1, 1)
    exponent = random.uniform(0.4, 1) if creeps else random.uniform(1.3, 3)
    at = np.log(between(random, 1, 6)) + np.cumsum(random.uniform(1.2, 3, size=int(random.integers(1, 4))))
    length, rise = random.uniform(0.5, 1) * math.log(10), random.uniform(0.7, 1.2)

    def speed(tau: np.ndarray) -> np.ndarray:
        x = np.log(tau + shift)
        climbed = sum(rise * exponent * length / (1 + np.exp(-4 * (x - middle) / length)) / 1.5 for middle in at)
        return size * np.exp(climbed - exponent * (x - math.log(shift)))

    return Speed(speed, end)


def _jumping(random: np.random.Generator, creeps: bool) -> Speed:
    """A wandering power; steps jump across kinks by a share of the last chord, and lengthen what is recorded."""
    form = _wandering(random, 0.4, 1.0) if creeps else _wandering(random, 1.2, 3)
    last = float(form.at(np.array(form.end)))
    chord = last * (1 + form.end) * (1 - 2 ** (-1 / 8))
    chatter, jump = between(random, 0.1, 2) * last, between(random, 0.05, 0.4) * chord
    return dataclasses.replace(form, chatter=chatter, jump=jump, landed=True)


def _slow_with_a_wave(random: np.random.Generator) -> Speed:
    """A power of 1.1 to 1.5 with a wave in ln τ, to τ = 30 to 100."""
    end, size, height = between(random, 30, 100), between(random, 0.02, 0.5), random.uniform(0, 0.3)
    exponent, shift, pulse = random.uniform(1.1, 1.5), between(random, 0.1, 3), random.uniform(1, 8)
    phase = random.uniform(0, 2 * math.pi)

    def at(tau: np.ndarray) -> np.ndarray:
        return size * (1 + tau / shift) ** -exponent * (1 + height * np.sin(pulse * np.log(1 + tau / shift) + phase))

    return Speed(at, end, landed=True)


def _fast_and_slow(random: np.random.Generator) -> Speed:
    """A power of 2 to 5, and behind it one of 0.3 to 1."""
    end, size, rest = between(random, 2, 80), between(random, 0.5, 10), between(random, 0.03, 0.6)
    shift, fast, slow = between(random, 0.1, 2), random.uniform(2, 5), random.uniform(0.3, 1)
    return Speed(lambda tau: size * (1 + tau / shift) ** -fast + rest * (1 + tau) ** -slow, end)


FAMILIES = {
    "flow in a well": Family(_well, converges=True, aligns=True, cases=2 * PER_FAMILY),
    "power that bends": Family(_bend, converges=True, aligns=True),
    "exponential with a wave": Family(_wave, converges=True, aligns=True),
    "power cut off": Family(_cut, converges=True, aligns=True),
    "wandering power above one": Family(lambda random: _wandering(random, 1.1, 3), converges=True, aligns=True),
    "Mexican hat's valley": Family(_valley, converges=False, aligns=True),
    "creep after a transient": Family(_late_creep, converges=False, aligns=True),
    "creep with a wave": Family(_waving_creep, converges=False, aligns=True),
    "wandering power below one": Family(lambda random: _wandering(random, 0.2, 0.9), converges=False, aligns=True),
    "circling with a wave": Family(_waving_circle, converges=False, aligns=False),
    "drift after a power": Family(_power_drift, converges=False, aligns=False),
    "cut in its transient": Family(functools.partial(_rounded, creeps=False), converges=True, aligns=True),
    "creep cut in its transient": Family(functools.partial(_rounded, creeps=True), converges=False, aligns=True),
    "power with humps": Family(functools.partial(_bumps, creeps=False), converges=True, aligns=True),
    "creep with humps": Family(functools.partial(_bumps, creeps=True), converges=False, aligns=True),
    "power with jumps": Family(functools.partial(_jumping, creeps=False), converges=True, aligns=True),
    "creep with jumps": Family(functools.partial(_jumping, creeps=True), converges=False, aligns=True),
    "slow power with a wave": Family(_slow_with_a_wave, converges=True, aligns=True),
    "fast power, then a slow one": Family(_fast_and_slow, converges=False, aligns=True),
}
