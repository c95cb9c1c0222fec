r"""The margin map p: ℝᴰ → ℝⁿˣ⁽ᴷ⁻¹⁾, through which alone a flow sees a network and its data.

For two classes p_i(W) = y_i Φ(x_i; W), for K classes p_ik(W) = Φ_y(x_i; W) − Φ_k(x_i; W), k ≠ y. Weights travel as
one flat vector W of float64, whatever the precision of the network; margins are returned as float64. If the map is
homogeneous of degree L then p(cW) = c^L p(W), and Euler's identity ⟨W, ∇p_i(W)⟩ = L p_i(W) holds.

`network` makes such a map from a torch module and images, `function` from any differentiable function of W.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from torch import Tensor

if TYPE_CHECKING:
    from dirconv.margins.jacobian import Jacobian

Pullback = Callable[[Tensor], Tensor]


class Rows(Protocol):
    """The Jacobian of some examples' margins at one point W, formed as a matrix only where that is cheapest."""

    margins: Tensor  # (m, K−1), in the precision of the network, as float64

    def pullback(self, q: Tensor) -> Tensor:
        """Σ q_ik ∇p_ik(W) over the m examples, (m, K−1) → (D,), float64."""

    def gram(self) -> Tensor:
        """⟨∇p_a(W), ∇p_b(W)⟩ for every pair of margins, (m (K−1), m (K−1)), float64."""


class MarginMap(Protocol):
    """What a flow needs of the map it follows."""

    degree: int | None  # L, or None
    unit: float  # unit roundoff of the margins' arithmetic

    def values(self, weights: Tensor, examples: Tensor | None = None) -> Tensor:
        """Margins (n, K−1), float64, at weights (D,); only those of `examples` (m,) if given."""

    def linearize(self, weights: Tensor) -> tuple[Tensor, Pullback]:
        """Margins at `weights` and the map q ↦ Σ q_ik ∇p_ik(W), (n, K−1) → (D,), float64."""

    def rows(self, weights: Tensor, examples: Tensor) -> Rows:
        """The Jacobian's rows of `examples` (m,) at `weights`.

        Where batch statistics couple the examples, a row costs a backward pass through the whole chunk of its example.
        """

    def jacobian(self, weights: Tensor, examples: Tensor) -> tuple[Tensor, Jacobian]:
        """Margins (m, K−1) of `examples` (m,), float64, and their m (K−1) rows, in the precision of the network."""

    def precise(self) -> MarginMap:
        """The same map with margins computed in float64."""


@dataclasses.dataclass(frozen=True)
class Block:
    """A parameter tensor's place in the flat vector."""

    name: str
    shape: tuple[int, ...]
    start: int
    stop: int


def error_rate(margins: Tensor) -> float:
    """Share of examples that are not classified correctly: min_k p_ik ≤ 0."""
    return float((margins.amin(1) <= 0).double().mean())
