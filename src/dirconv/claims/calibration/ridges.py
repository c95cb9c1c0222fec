"""Ridges and chatter, which real flows showed after the rules had been made: how often do the rules err on them?

On a *ridge* the speed stands still over half a decade of τ to two, until another example joins the least margins; then
it decays again. A run may end before that. *Chatter* is the length that steps add to the
recorded path by jumping to and fro across kinks, a constant share of τ at a given tolerance. Each comes with paths that
converge and with paths that creep. No rule was changed because of this set.
"""

import dataclasses
from functools import partial

import numpy as np

from dirconv.claims.calibration import Family, Speed, between, mixed, tuning

NUMERICS = 1
GOES_THROUGH = ("calibration.mixed", "calibration.tuning")
CASES = 120  # of a family
noise = mixed.noise


def _ridge(random: np.random.Generator, creeps: bool) -> Speed:
    """A power of τ up to the ridge, a standstill as long as 3 to 100 times that, a power or 1/τ from there on."""
    end, size, exponent = between(random, 1.5, 30), between(random, 0.3, 20), random.uniform(1.2, 4)
    first = end * between(random, 0.01, 0.3)
    shift, last = first * between(random, 0.05, 1), first * between(random, 3, 100)
    after = 1.0 if creeps else exponent

    def at(tau: np.ndarray) -> np.ndarray:
        before = size * (1 + np.minimum(tau, first) / shift) ** -exponent
        return before * (1 + np.maximum(tau - last, 0.0) / (shift + first)) ** -after

    return Speed(at, end)


def _chatter(random: np.random.Generator, creeps: bool) -> Speed:
    """A plain form, and chatter of 3 % to three times its speed at the end."""
    form = tuning.FAMILIES["creep" if creeps else random.choice(["power", "slow power"])].draw(random)
    return dataclasses.replace(form, chatter=between(random, 0.03, 3) * float(form.at(np.array(form.end))))


FAMILIES = {
    "ridge": Family(partial(_ridge, creeps=False), converges=True, aligns=True, cases=CASES),
    "ridge, then creep": Family(partial(_ridge, creeps=True), converges=False, aligns=True, cases=CASES),
    "chatter": Family(partial(_chatter, creeps=False), converges=True, aligns=True, cases=CASES),
    "chatter on a creep": Family(partial(_chatter, creeps=True), converges=False, aligns=True, cases=CASES),
}
