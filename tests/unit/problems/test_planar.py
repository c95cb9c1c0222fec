"""Points in the plane: the surfaces that are recorded are those of the predictors."""

import numpy as np
import pytest

from dirconv.problems import planar


def test_the_surface_is_seen_as_it_is():
    spec = planar.Spec(width=32, tau=0.5)
    (one,) = planar.follow(spec, [1])
    points, labels = planar.examples(spec, 1)
    surfaces, grid = one.tables["surfaces"], one.tables["grid"]
    assert surfaces["to_start"].iloc[0] == pytest.approx(0, abs=1e-6)
    assert surfaces["to_end"].iloc[-1] == pytest.approx(0, abs=1e-6)
    assert surfaces["kernel_gap"].iloc[0] <= 1e-9
    assert set(grid["surface"]) == {"kernel", "start", "end"}
    # each surface classifies the points, looked up at the nearest place of the grid
    for _, surface in grid.groupby("surface"):
        at = surface[["x", "y"]].to_numpy()
        nearest = np.linalg.norm(points[:, None] - at[None], axis=2).argmin(1)
        assert (np.sign(surface["value"].to_numpy()[nearest]) == labels).mean() > 0.9
