"""Validate the user's network and data, with a one-line UserError; bring them to the form that a margin map needs."""

from __future__ import annotations

import dataclasses
import math
import operator
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from dirconv.errors import UserError
from dirconv.homogeneity import SCALES, TOLERANCE, deviations
from dirconv.margins import copies
from dirconv.margins.network import NetworkMap

CHECKED = 64  # examples on which a network is checked
ROUNDING = 1e-9  # relative difference in float64 up to which two outputs count as equal


def copied(network: nn.Module) -> tuple[nn.Module, torch.dtype]:
    """A copy of the network whose frozen parameters are buffers, and the precision of its other parameters."""
    if not isinstance(network, nn.Module):
        raise UserError(f"network: must be a torch.nn.Module, got {type(network).__name__}")
    if isinstance(network, nn.DataParallel | nn.parallel.DistributedDataParallel):
        network = network.module
    network = getattr(network, "_orig_mod", network)  # of torch.compile
    for name, module in network.named_modules():
        if isinstance(module, torch.jit.ScriptModule | nn.DataParallel):
            what = f"its part {name}" if name else "it"
            raise UserError(f"network: {what} is a {type(module).__name__}; give the module that it was made from")
    for name, tensor in (*network.named_parameters(), *network.named_buffers()):
        if nn.parameter.is_lazy(tensor):
            raise UserError(f"network: {name} has no shape yet (a lazy module); call the network on images first")
        if tensor.is_meta:
            raise UserError(f"network: {name} has no values (device meta); give the network its weights first")
        if not bool(torch.isfinite(tensor).all()):
            raise UserError(f"network: {name} has numbers that are not finite; start from other weights")
    try:
        network = copies.copied(network)
    except Exception as error:  # the module's own, of any kind
        raise UserError(f"network: cannot be copied (copy.deepcopy): {_first_line(error)}") from error
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


def whole(value: Any, name: str, least: int, expected: str) -> int:
    """A whole number of at least `least`, be it one of NumPy's; UserError, which says what is expected, otherwise."""
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if isinstance(value, bool) or not least <= number < 2**63:
        raise UserError(f"{name}: must be {expected}, got {value!r}")
    return number


def _tensor(value: Any, name: str) -> Tensor:
    """The numbers of a tensor, an array, a table or nested lists of them; UserError, which calls them `name`."""
    try:
        if isinstance(value, list | tuple) and any(isinstance(item, Tensor) for item in value):
            value = torch.stack([torch.as_tensor(item) for item in value])
        tensor = value.detach() if isinstance(value, Tensor) else torch.from_numpy(_array(value))
        tensor = tensor if tensor.layout == torch.strided else tensor.to_dense()
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{name}: must be a tensor or an array of real numbers, got {type(value).__name__}") from error
    if tensor.is_complex() or tensor.is_meta:
        kind = "complex numbers" if tensor.is_complex() else "a tensor without values (device meta)"
        raise UserError(f"{name}: must be real numbers, got {kind}")
    return tensor


def _array(value: Any) -> np.ndarray:
    """An array as torch takes it: real numbers in the machine's byte order, in rows. ValueError for other things."""
    if np.ma.is_masked(value):  # what the mask hides would be seen
        raise ValueError("masked")
    array = value.to_numpy() if hasattr(value, "to_numpy") else np.asarray(value)  # pandas and its like
    if array.dtype == object:
        array = np.asarray(array.tolist())
    if array.dtype.kind not in "biuf":
        raise ValueError(array.dtype)
    wide = array.dtype.kind == "f" and array.dtype.itemsize > 8
    return np.require(array, np.float64 if wide else array.dtype.newbyteorder("="), ["C", "W"])


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def images(value: Any, dtype: torch.dtype, name: str) -> Tensor:
    """A copy (n, …) in the network's precision; UserError, which calls it `name`, if it is empty or not finite."""
    x = _tensor(value, name).to(dtype, copy=True)
    if x.ndim == 0 or x.numel() == 0:
        raise UserError(f"{name}: there are none, their shape is {(*x.shape,)}; give at least one example, (n, …)")
    if not bool(torch.isfinite(x).all()):
        raise UserError(f"{name}: some numbers are not finite; remove or replace them")
    return x


def labels(value: Any, outputs: int, x: Tensor, name: str) -> Tensor:
    """Labels (n,) as a margin map takes them: ±1 for one output, 0 … K−1 for K; UserError for others."""
    y = _tensor(value, name)
    if tuple(y.shape) not in ((len(x),), (len(x), 1)):
        raise UserError(f"{name}: must be one for each example, shape {(len(x),)}, got {(*y.shape,)}")
    y = y.to(x.device).flatten()
    values = set(y.unique().tolist())
    if outputs == 1 and (values <= {0, 1} or values <= {-1, 1}):
        return 2 * y.double() - 1 if 0 in values else y.double()
    if outputs > 1 and values <= set(range(outputs)):
        return y.long()
    expected = "±1, or 0 and 1, for one output" if outputs == 1 else f"0 … {outputs - 1} for {outputs} outputs"
    got = ", ".join([*(f"{label:g}" for label in sorted(values)[:5]), *(["…"] if len(values) > 5 else [])])
    raise UserError(f"{name}: must be {expected}, got {got}")


def outputs(network: nn.Module, x: Tensor) -> int:
    """The number of the network's outputs; UserError if an example's output depends on more than that example and W."""
    exact, x = copies.copied(network).double(), x[:CHECKED].double()
    try:
        with torch.no_grad():
            given = copies.copied(exact)(x)  # a copy: in training mode the network may change its own buffers
            exact.eval()
            whole, parts = exact(x), torch.cat([exact(part) for part in x.tensor_split(2) if len(part)])
    except Exception as error:  # the network's own, of any kind
        what = f"network: cannot take images of shape {(*x.shape,)} in float64"
        raise UserError(f"{what}: {_first_line(error)}") from error
    if whole.ndim != 2 or len(whole) != len(x) or whole.shape != parts.shape:
        raise UserError(f"network: must answer (n, 1) or (n, K) to n = {len(x)} images, answered {(*whole.shape,)}")
    bound = ROUNDING * float(whole.abs().max())
    if not float((given - whole).abs().max()) <= bound:
        raise UserError(
            "network: answers differently in training mode (batch normalization, dropout); call network.eval() first: "
            "the flow is that of the network in evaluation mode, with batch statistics frozen"
        )
    if not float((parts - whole).abs().max()) <= bound:
        raise UserError(
            "network: its answer for an example depends on the other examples or on chance, in evaluation mode too; "
            "remove the cause (untracked batch statistics, for example)"
        )
    return whole.shape[1]


def degree(margin_map: NetworkMap, seed: int) -> pd.DataFrame:
    """The check of `dirconv.homogeneity` in float64, a row a scale c; UserError if the declared degree fails it."""
    checked = margin_map.on(margin_map.images[:CHECKED], margin_map.labels[:CHECKED]).precise()

    def check(degree: int | None) -> tuple[pd.DataFrame, float]:
        generator = torch.Generator().manual_seed(seed)
        rows = deviations(dataclasses.replace(checked, degree=degree), checked.flatten(), SCALES, generator)
        table = pd.DataFrame(rows)
        return table, table["deviation"].fillna(math.inf).max()

    table, worst = check(margin_map.degree)
    if not bool(checked.values(checked.flatten()).any()):
        raise UserError("network: its outputs are zero at its own weights, as is their gradient; start from others")
    if margin_map.degree is not None and not worst <= TOLERANCE:
        estimate = table["estimated_degree"].median()
        other = round(estimate) if math.isfinite(estimate) else 0
        fits = other > 0 and check(other)[1] <= TOLERANCE
        raise UserError(
            f"degree: declared {margin_map.degree}, but f(cW) differs from c^{margin_map.degree} f(W) by {worst:.2g} "
            f"(relative); "
            + (f"declare degree={other}" if fits else "remove biases and normalization, or declare None")
        )
    return table


def comparable(margin_map: NetworkMap) -> NetworkMap:
    """The map with a correct way to compare gradients: layer by layer, or else one example at a time.

    UserError if neither is correct for this network.
    """
    for candidate in (margin_map, dataclasses.replace(margin_map, layerwise=False)):
        if _agree(candidate.on(candidate.images[:3], candidate.labels[:3]).precise()):
            return candidate
    raise UserError(
        "network: its gradients cannot be taken one example at a time (torch.func.vmap), which the flow method "
        'needs; give follow flow={"method": "descent"}'
    )


def _agree(margin_map: NetworkMap) -> bool:
    """Whether ⟨u, K u'⟩ = ⟨Jᵀu, Jᵀu'⟩ for random u, with K from `gram` and Jᵀ from `pullback`, at random weights."""
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(margin_map.flatten().shape, generator=generator, dtype=torch.float64)
    x = margin_map.images
    rows = margin_map.rows(weights.to(x.device), torch.arange(len(x), device=x.device))
    u = torch.randn(4, rows.margins.numel(), generator=generator, dtype=torch.float64).to(x.device)
    products = torch.stack([rows.pullback(q.view(rows.margins.shape)) for q in u])
    expected = products @ products.T
    try:
        return bool((u @ rows.gram() @ u.T - expected).abs().max() <= ROUNDING * expected.abs().max())
    except (RuntimeError, ValueError):
        return False
