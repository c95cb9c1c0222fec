"""The margin map as a function of weights and images together, for derivatives that a flow does not need."""

from __future__ import annotations

from torch import Tensor

from dirconv.margins.network import NetworkMap


def margins(margin_map: NetworkMap, weights: Tensor, images: Tensor, labels: Tensor) -> Tensor:
    """Margins (n, K−1), float64, of any images (n, …) at weights (D,): differentiable in both, forward and backward."""
    return margin_map._margins(margin_map._parameters(weights), images, labels)
