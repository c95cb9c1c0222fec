r"""Does a power of what the smoothed margin has left control what the path has left? Networks.

(a) ζ's way to the end of the run against ã's, both of which vanish there by construction: only the first 80 % of τ are
drawn. (b) κ of ζ_∞ − ζ ∝ (a − ã)^κ, fitted to the second half of τ with a unknown; ½ is what a limit with a regular
second derivative has, 1 that of a linear predictor, 0 and below an infinite path. An interval that fills the panel says
that the run does not tell.
"""

from __future__ import annotations

from dirconv.figures._desingularized import draw

__all__ = ["TABLES", "draw"]

TABLES = ("path",)
