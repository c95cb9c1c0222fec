"""What a run and the same run at half the tolerance are compared by, at the τ where both have a step that ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dirconv.claims import Evidence

if TYPE_CHECKING:
    import pandas as pd

DIGITS = 6  # of τ: steps land on multiples, up to rounding


def alignments(evidence: Evidence) -> float | None:
    """Largest difference in the velocity's cos over all pairs and the second half of the τ that both reach."""
    found = [_largest(_met(a.tables["path"]), _met(b.tables["path"])) for a, b in evidence.halvings]
    return max((value for value in found if value is not None), default=None)


def _met(path: pd.DataFrame) -> pd.Series:
    import pandas as pd

    rows = path[path["landed"].astype(bool)]
    return pd.Series(rows["cos"].to_numpy(), index=rows["tau"].round(DIGITS))


def _largest(first: pd.Series, second: pd.Series) -> float | None:
    import pandas as pd

    both = pd.concat([first, second], axis=1, join="inner").to_numpy()
    return float(np.abs(both[:, 0] - both[:, 1])[len(both) // 2 :].max()) if len(both) else None


def angles(first: Evidence, second: Evidence) -> pd.Series:
    """Angle between the directions, in radians, by τ."""
    import pandas as pd

    a, b = (_directions(one.tables["sketch"]) for one in (first, second))
    common = a.index.intersection(b.index)
    chord = np.linalg.norm(a.loc[common].to_numpy() - b.loc[common].to_numpy(), axis=1)
    return pd.Series(2 * np.arcsin(np.minimum(chord / 2, 1.0)), index=common)


def _directions(sketch: pd.DataFrame) -> pd.DataFrame:
    rows = sketch[sketch["landed"].astype(bool)]
    return rows.assign(tau=rows["tau"].round(DIGITS)).pivot(index="tau", columns="bucket", values="value")
