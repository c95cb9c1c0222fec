"""The figure `desingularized` for small problems; the caption is the same but for its first word."""

from __future__ import annotations

from dirconv.figures import Figure, desingularized
from dirconv.figures.desingularized import draw

NUMERICS = 1
GOES_THROUGH = ("figure.desingularized",)
__all__ = ["FIGURE", "draw"]
__doc__ = desingularized.__doc__.replace("Networks:", "Small problems:")

FIGURE = Figure(tables=("path",), problems=("deep_linear", "squared_relu", "mexican_hat"))
