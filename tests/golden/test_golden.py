"""The numbers of tiny runs stay as recorded, unless a module's NUMERICS says that they were meant to move.

A result is stale if a module that made it has another version today. These runs keep the versions honest.
"""

import os

import pytest
import recorded
import torch
from cases import CASES

from dirconv import numerics

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script")  # torch's own, on the way to forward mode
THREADS = int(os.environ.get("GOLDEN_THREADS", "1"))


@pytest.fixture(autouse=True)
def threads():
    torch.set_num_threads(THREADS)
    yield
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(False)  # a stage turns it on


def before(name):
    record = recorded.read(name)
    assert record is not None, f"record it first: uv run python tests/golden/record.py {name}"
    return record


@pytest.mark.parametrize("name", CASES)
def test_numbers_are_as_recorded(name):
    record, numbers = before(name), CASES[name].run()
    lines = recorded.moved(CASES[name], record, numbers) + recorded.new(record, numbers)
    assert not lines, (
        f"{name}: numbers moved\n  "
        + "\n  ".join(lines[:20])
        + f"\nif this is meant: raise NUMERICS in the module that moves them (one of {', '.join(CASES[name].parts)}), "
        f"add a line with `NUMERICS <part> <n>` to CHANGELOG.md, and record again with "
        f"`uv run python tests/golden/record.py {name}`"
    )


@pytest.mark.parametrize("name", CASES)
def test_versions_are_as_recorded(name):
    record = before(name)
    moved = numerics.moved(record["parts"], recorded.versions(CASES[name]))
    assert not moved, (
        f"{name}: recorded with another version of {', '.join(moved)}; record again with "
        f"`uv run python tests/golden/record.py {name}`"
    )
    assert (record["relative"], record["absolute"]) == (CASES[name].relative, CASES[name].absolute)


@pytest.mark.parametrize("part", numerics.parts())
def test_every_version_has_a_line_in_the_changelog(part):
    missing = recorded.unlogged(part, numerics.version(part))
    assert not missing, f"CHANGELOG.md: add a line that says what moved, with `NUMERICS {part} {missing[0]}`"


def test_every_part_is_guarded_by_a_golden_run():
    assert set(numerics.parts()) == {part for case in CASES.values() for part in case.parts}


def test_no_record_is_left_of_a_run_that_is_gone():
    assert {path.stem for path in recorded.FOLDER.glob("*.json")} == set(CASES)
