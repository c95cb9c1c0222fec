"""Figures of small problems whose answer is known draw from the tables that the stage writes."""

import numpy as np
import pytest
from figure_sources import OF_PROBLEMS, cases, draw


@pytest.mark.parametrize(("name", "case"), [(name, case) for name in OF_PROBLEMS for case in cases(name)])
def test_draws_what_its_table_holds(name, case):
    """Surfaces, intervals, sums over neurons: not a point a row, so that points are not counted."""
    png, _, table = draw(name, cases(name)[case]())
    assert png.startswith(b"\x89PNG")
    assert len(table)
    assert np.isfinite(table["value"].dropna().astype(float)).all()
