r"""Small problems: does a power of the smoothed margin's remaining rise control the path's remaining length?

(a) ζ_end − ζ against ã_end/ã − 1, what is left of ζ and of ã until the end of the run, for first seeds. Both vanish at
the end by construction, so only the first 80 % of τ are drawn. (b) κ of ζ_∞ − ζ ∝ (a − ã)^κ, with a unknown, fitted to
the second half of τ, with its interval. κ = ½ is expected of a limit with a regular second derivative, κ = 1 of a
linear predictor, κ ≤ 0 of an infinite path. An interval that fills the panel means that the run does not tell.
"""

from __future__ import annotations

from dirconv.figures import Figure
from dirconv.figures._desingularized import draw

NUMERICS = 1
GOES_THROUGH = ("desingularize",)
__all__ = ["FIGURE", "draw"]

FIGURE = Figure(tables=("path",), problems=("deep_linear", "squared_relu", "mexican_hat"))
