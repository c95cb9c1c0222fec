"""What a network and its data must be: UserError in one line where they are not, and what is wanted of them else."""

from __future__ import annotations

import copy
import dataclasses
import math
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from dirconv.errors import UserError
from dirconv.figures.homogeneity import THRESHOLD
from dirconv.margins import homogeneity
from dirconv.margins.network import NetworkMap

SCALES = (0.25, 0.5, 0.8, 1.25, 2.0, 4.0)  # c in f(cW) = c^L f(W); a test keeps them those of a study's check
FEW = 64  # examples that a network is checked on
SAME = 1e-9  # relative, in float64


def copied(network: nn.Module) -> tuple[nn.Module, torch.dtype]:
    """A copy with frozen parameters made constants, and the precision of the others."""
    if not isinstance(network, nn.Module):
        raise UserError(f"network: must be a torch.nn.Module, got {type(network).__name__}")
    network = copy.deepcopy(network)
    for module in network.modules():
        for key, parameter in list(module._parameters.items()):
            if parameter is not None and not parameter.requires_grad:
                del module._parameters[key]
                module.register_buffer(key, parameter.detach())
    kinds = {parameter.dtype for parameter in network.parameters()}
    if len(kinds) != 1 or not kinds <= {torch.float32, torch.float64}:
        have = ", ".join(sorted(map(str, kinds))) or "none that require a gradient"
        raise UserError(f"network: its parameters must all be float32 or all float64, got {have}; convert them")
    return network, kinds.pop()


def _tensor(value: Any, what: str) -> Tensor:
    try:
        return torch.as_tensor(value).detach()
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{what}: must be a tensor or an array, got {type(value).__name__}") from error


def images(value: Any, dtype: torch.dtype, what: str) -> Tensor:
    """A copy (n, …) in the network's precision, n ≥ 1, all finite."""
    x = _tensor(value, what).to(dtype, copy=True)
    if x.ndim == 0 or x.numel() == 0:
        raise UserError(f"{what}: there are none, their shape is {(*x.shape,)}; give at least one example, (n, …)")
    if not bool(torch.isfinite(x).all()):
        raise UserError(f"{what}: some of their numbers are not finite; remove or replace those")
    return x


def labels(value: Any, outputs: int, x: Tensor, what: str) -> Tensor:
    """(n,) as margins want them: ±1 for one output, else 0 … K−1."""
    y = _tensor(value, what)
    if tuple(y.shape) not in ((len(x),), (len(x), 1)):
        raise UserError(f"{what}: must be one for each example, shape {(len(x),)}, got {(*y.shape,)}")
    y = y.to(x.device).flatten()
    found = set(y.unique().tolist())
    if outputs == 1 and (found <= {0, 1} or found <= {-1, 1}):
        return 2 * y.double() - 1 if 0 in found else y.double()
    if outputs > 1 and found <= set(range(outputs)):
        return y.long()
    wanted = "±1, or 0 and 1, for one output" if outputs == 1 else f"0 … {outputs - 1} for {outputs} outputs"
    got = ", ".join([*(f"{label:g}" for label in sorted(found)[:5]), *(["…"] if len(found) > 5 else [])])
    raise UserError(f"{what}: must be {wanted}, got {got}")


def outputs(network: nn.Module, x: Tensor) -> int:
    """How many numbers the network answers; UserError where an example's answer depends on more than it and W."""
    exact, x = copy.deepcopy(network).double(), x[:FEW].double()
    try:
        with torch.no_grad():
            given = copy.deepcopy(exact)(x)  # in training mode it may change itself
            exact.eval()
            whole, parts = exact(x), torch.cat([exact(part) for part in x.tensor_split(2) if len(part)])
    except Exception as error:  # the network's own, of any kind
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"network: cannot take images of shape {(*x.shape,)} in float64: {why}") from error
    if whole.ndim != 2 or len(whole) != len(x) or whole.shape != parts.shape:
        raise UserError(f"network: must answer (n, 1) or (n, K) to n = {len(x)} images, answered {(*whole.shape,)}")
    bound = SAME * float(whole.abs().max())
    if not float((given - whole).abs().max()) <= bound:
        raise UserError(
            "network: answers differently in training mode (batch normalization, dropout); call network.eval() first: "
            "what it is then is followed, with batch statistics frozen"
        )
    if not float((parts - whole).abs().max()) <= bound:
        raise UserError(
            "network: its answer for an example depends on the other examples or on chance, in evaluation mode too; "
            "remove what does that (batch statistics that are not tracked, say)"
        )
    return whole.shape[1]


def degree(margin_map: NetworkMap, seed: int) -> pd.DataFrame:
    """The check of the degree, a row a scale c, in float64; UserError where it contradicts the one that is declared."""
    few = margin_map.on(margin_map.images[:FEW], margin_map.labels[:FEW]).precise()

    def check(degree: int | None) -> tuple[pd.DataFrame, float]:
        generator = torch.Generator().manual_seed(seed)
        rows = homogeneity(dataclasses.replace(few, degree=degree), few.flatten(), SCALES, generator)
        table = pd.DataFrame(rows)
        return table, table["deviation"].fillna(math.inf).max()

    table, worst = check(margin_map.degree)
    if margin_map.degree is not None and not worst <= THRESHOLD:
        estimate = table["estimated_degree"].median()
        other = round(estimate) if math.isfinite(estimate) else 0
        right = other > 0 and check(other)[1] <= THRESHOLD
        raise UserError(
            f"degree: declared {margin_map.degree}, but f(cW) differs from c^{margin_map.degree} f(W) by {worst:.2g} "
            f"(relative); "
            + (f"declare degree={other}" if right else "remove biases and normalization, or declare None")
        )
    return table


def comparable(margin_map: NetworkMap) -> NetworkMap:
    """The map, with gradients compared layer by layer where that is right and one example at a time where it is not.

    UserError where neither is.
    """
    for found in (margin_map, dataclasses.replace(margin_map, layerwise=False)):
        if _agree(found.on(found.images[:3], found.labels[:3]).precise()):
            return found
    raise UserError(
        "network: its gradients cannot be taken one example at a time (torch.func.vmap), which the flow method "
        'needs; give follow flow={"method": "descent"}'
    )


def _agree(margin_map: NetworkMap) -> bool:
    """Whether ⟨u, K u'⟩ = ⟨Jᵀu, Jᵀu'⟩ for a few u, K from `gram` and Jᵀ from `pullback`, at weights without zeros."""
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(margin_map.flatten().shape, generator=generator, dtype=torch.float64)
    x = margin_map.images
    rows = margin_map.rows(weights.to(x.device), torch.arange(len(x), device=x.device))
    u = torch.randn(4, rows.margins.numel(), generator=generator, dtype=torch.float64).to(x.device)
    products = torch.stack([rows.pullback(one.view(rows.margins.shape)) for one in u])
    expected = products @ products.T
    try:
        return bool((u @ rows.gram() @ u.T - expected).abs().max() <= SAME * expected.abs().max())
    except (RuntimeError, ValueError):
        return False
