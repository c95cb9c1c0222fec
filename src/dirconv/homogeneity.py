r"""Is f(cW) = c^L f(W)? The check of studies and of `dirconv.own`, and its tolerance. Imports torch when called."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from dirconv.margins import MarginMap

NUMERICS = 1
SCALES = (0.25, 0.5, 0.8, 1.25, 2.0, 4.0)  # c
TOLERANCE = 1e-6  # relative deviation above which a declared degree is refused; in float64 rounding stays below 1e-12


def deviations(
    margin_map: MarginMap, weights: torch.Tensor, scales: tuple[float, ...], generator: torch.Generator
) -> list[dict[str, float]]:
    r"""How far a map p is from homogeneous, a row a scale c: `scale`, `degree` L, `estimated_degree`, `deviation`.

        deviation = max_i |p_i(cW) − c^L p_i(W)| / max_i |c^L p_i(W)|,    estimated_degree = ln(‖p(cW)‖/‖p(W)‖)/ln c

    L is the map's degree, or the estimate where it declares none. W is `weights` (D,) with noise of a tenth of their
    root mean square, drawn from `generator`: parameters that start at exactly zero would otherwise escape the check.
    """
    import torch

    noise = torch.randn(weights.shape, generator=generator, dtype=weights.dtype).to(weights.device)
    weights = weights + 0.1 * weights.square().mean().sqrt() * noise
    base = margin_map.values(weights)
    rows = []
    for scale in scales:
        scaled = margin_map.values(scale * weights)
        estimate = (scaled.norm() / base.norm()).log() / torch.tensor(scale, dtype=torch.float64).log()
        degree = float(estimate) if margin_map.degree is None else float(margin_map.degree)
        expected = scale**degree * base
        deviation = float((scaled - expected).abs().max() / expected.abs().max())
        rows.append({"scale": scale, "degree": degree, "estimated_degree": float(estimate), "deviation": deviation})
    return rows
