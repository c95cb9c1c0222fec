"""Where a run came to, for the audit's table of runs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def summary(path: pd.DataFrame) -> dict[str, float]:
    """The last row of a run's table `path`."""
    end = path.iloc[-1]
    return {
        "steps": int(end["step"]),
        "evaluations": int(end["evaluations"]),
        "log10_risk": float(end["ln_risk"]) / math.log(10),
        **{name: float(end[name]) for name in ("tau", "zeta", "cos")},
    }
