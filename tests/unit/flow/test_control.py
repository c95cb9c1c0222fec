"""Step-size control."""

import dataclasses
import math

import pytest

from dirconv.flow.control import StepControl

CONTROL = StepControl(tolerance=1e-3, largest_step=0.2, smallest_step=1e-13, land=0.25)


def test_the_next_step_is_what_the_controllers_formula_says():
    for order in (1, 2, 3):
        for error in (2e-4, 1e-3, 5e-3):
            expected = min(max(0.9 * (1e-3 / error) ** (1 / order), 0.2), 2.0)
            assert CONTROL.factor(error, order) == pytest.approx(expected, rel=1e-15)
    assert CONTROL.factor(0.0, 2) == CONTROL.factor(1e-300, 1) == 2.0
    assert CONTROL.factor(1e9, 1) == CONTROL.factor(math.inf, 2) == 0.2
    assert CONTROL.accepts(1e-3) and not CONTROL.accepts(1.001e-3)
    assert CONTROL.after_accepted(0.02, 0.02, 1.5) == pytest.approx(0.03)
    assert CONTROL.after_accepted(0.15, 0.15, 2.0) == 0.2
    assert CONTROL.after_rejected(0.02, 0.5) == 0.01
    assert CONTROL.after_rejected(0.02, 0.95) == pytest.approx(0.018)
    assert CONTROL.underflows(1e-13) and not CONTROL.underflows(2e-13)


def test_the_planned_size_stands_after_a_step_that_was_cut_short_unless_the_error_forbids_it():
    assert CONTROL.after_accepted(0.05, 0.08, 1.2) == 0.08
    assert CONTROL.after_accepted(0.01, 0.08, 1.2) == 0.02  # it grows no more than any other
    assert CONTROL.after_accepted(0.05, 0.08, 0.9) == pytest.approx(0.045)


@pytest.mark.parametrize(
    ("planned", "clock", "expected"),
    [
        (0.1, 0.0, (0.1, False)),
        (0.15, 0.0, (0.125, False)),  # two even steps
        (0.1, 0.2, (0.05, True)),
        (0.1, 0.25, (0.1, False)),  # the next multiple is 0.5
        (0.3, 0.02, (0.115, False)),  # planned is the largest step, 0.2; 0.23 are left
        (0.3, 0.1, (0.15, True)),
    ],
)
def test_a_step_lands_on_every_multiple(planned, clock, expected):
    assert CONTROL.landing(planned, clock) == (pytest.approx(expected[0], abs=1e-15), expected[1])
    assert dataclasses.replace(CONTROL, land=None).landing(planned, clock) == (min(planned, 0.2), False)
