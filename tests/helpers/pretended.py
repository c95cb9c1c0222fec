"""A GPU that is not there: tensors that count as CUDA's while a CPU computes, under the rules that a GPU has.

What it finds is what a CPU forgives: tensors of two devices in one operation, NumPy asked of a tensor on the GPU, and
in a recorded graph whatever waits for the device or comes from the host. A graph is replayed as CUDA would, operation
by operation on the tensors that it was recorded with, without Python. Kernels, their speed and their determinism it
knows nothing of.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

CUDA, CPU = torch.device("cuda", 0), torch.device("cpu")
MADE = {f"torch.{name}" for name in ("arange", "empty", "eye", "full", "linspace", "ones", "rand", "randint", "randn")}
MADE |= {f"torch.{name}" for name in ("randperm", "tensor", "zeros")}
MADE_LIKE = {f"torch.Tensor.new_{name}" for name in ("empty", "full", "ones", "tensor", "zeros")}
FROM_HOST = {"torch.tensor", "torch.as_tensor", "torch.Tensor.new_tensor"}
WAITS = {"aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::equal"}
INDEXED = {"aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_"}


def place(tensor: Tensor) -> bool | None:
    """Whether a tensor lies on the GPU; None: anywhere, as what torch itself makes out of nothing."""
    return getattr(_storage(tensor), "pretended", False)


def _put(tensor: Tensor, on: bool | None) -> None:
    _storage(tensor).pretended = on


def _storage(tensor: Tensor) -> torch.UntypedStorage:
    with torch._C.DisableTorchFunction():
        while torch._C._functorch.is_functorch_wrapped_tensor(tensor):
            tensor = torch._C._functorch.get_unwrapped(tensor)
        return tensor.untyped_storage()


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


class Gpu:
    """What happened on it."""

    def __init__(self) -> None:
        self.waits = 0  # how often the host waited for it
        self.tape: list[tuple] | None = None  # of the graph that is being recorded
        self.trusted = False  # whether operations are let through unseen

    def waited(self, what: str) -> None:
        self.waits += 1
        self.refuse_in_graph(f"{what} waits for the device")

    def refuse_in_graph(self, what: str) -> None:
        if self.tape is not None:
            raise RuntimeError(f"{what} while a graph is recorded")

    @contextlib.contextmanager
    def trusting(self) -> Iterator[None]:
        before, self.trusted = self.trusted, True
        yield
        self.trusted = before


class _Devices(TorchFunctionMode):
    """Python's side: which devices are asked for, and told."""

    def __init__(self, gpu: Gpu) -> None:
        super().__init__()
        self.gpu = gpu

    def __torch_function__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs, name = dict(kwargs or {}), resolve_name(function) or ""
        method = name.removeprefix("torch.Tensor.")
        if method in ("device.__get__", "is_cuda.__get__"):
            on = bool(place(args[0]))
            return on if method.startswith("is_cuda") else CUDA if on else CPU
        if method == "numpy" and place(args[0]):
            raise TypeError("can't convert cuda:0 device type tensor to numpy")
        if method in ("cpu", "cuda", "to"):
            return self._moved(method, *args, **kwargs)
        wanted = kwargs.get("device")
        if wanted is not None:
            kwargs["device"] = CPU
        result = function(*args, **kwargs)
        if isinstance(result, Tensor) and (wanted is not None or name in MADE | MADE_LIKE):
            alike = wanted is None and name in MADE_LIKE
            on = bool(place(args[0])) if alike else torch.device(wanted or CPU).type == "cuda"
            if on and name in FROM_HOST:
                self.gpu.refuse_in_graph(f"{name} copies from the host")
            _put(result, on)
        return result

    def _moved(self, method: str, tensor: Tensor, *args: Any, device: Any = None, **kwargs: Any) -> Tensor:
        wanted, types = device if method == "to" else method, []
        for value in args:
            if isinstance(value, torch.dtype):
                types.append(value)
            elif isinstance(value, Tensor):
                wanted = CUDA if place(value) else CPU
                types.append(value.dtype)
            elif isinstance(value, (str, torch.device)):
                wanted = value
        before = bool(place(tensor))
        after = before if wanted is None else torch.device(wanted).type == "cuda"
        result = tensor.to(*types, **kwargs) if types or kwargs else tensor
        if after != before:
            self.gpu.refuse_in_graph("a copy between host and device")
            with self.gpu.trusting():
                result = result.clone()
                _put(result, after)
        return result


class _Operations(TorchDispatchMode):
    """Underneath autograd: where an operation's tensors lie."""

    def __init__(self, gpu: Gpu) -> None:
        super().__init__()
        self.gpu = gpu

    def __torch_dispatch__(self, op: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs, name = kwargs or {}, op._schema.name
        indices = _tensors(args[1]) if name in INDEXED else []
        operands = _tensors((args[:1], args[2:], kwargs)) if name in INDEXED else _tensors((args, kwargs))
        places = [place(operand) for operand in operands]
        on = any(places)
        if not self.gpu.trusted:
            if name == "aten::copy_":
                if on and False in places:
                    self.gpu.refuse_in_graph("a copy between host and device")
            elif on and any(where is False and operand.dim() for where, operand in zip(places, operands, strict=True)):
                raise RuntimeError(f"{name}: expected all tensors to be on the same device")
            elif not on and any(place(index) for index in indices):
                raise RuntimeError(f"{name}: indices on the GPU for a tensor that is not")
            masked = any(index.dtype == torch.bool or not place(index) for index in indices)
            if on and (name in WAITS or masked):
                self.gpu.waited(name)
        result = op(*args, **kwargs)
        for made in _tensors(result) if name != "aten::copy_" else []:
            if on or False not in places or name in ("aten::lift_fresh", "aten::lift"):
                _put(made, on or None)
        if self.gpu.tape is not None:
            self.gpu.tape.append((op, args, kwargs, result))
        return result


class _Stream:
    def wait_stream(self, other: _Stream) -> None:
        pass


@contextlib.contextmanager
def pretended() -> Iterator[Gpu]:
    """Within, torch has one CUDA device."""
    gpu, autocast = Gpu(), torch.autocast

    class Graph:
        def __init__(self) -> None:
            self.tape: list[tuple] = []

        def replay(self) -> None:
            with torch.no_grad(), gpu.trusting():
                for op, args, kwargs, recorded in self.tape:
                    for old, new in zip(_tensors(recorded), _tensors(op(*args, **kwargs)), strict=True):
                        if old.data_ptr() != new.data_ptr():
                            old.copy_(new)

    @contextlib.contextmanager
    def record(graph: Graph) -> Iterator[None]:
        gpu.tape = graph.tape
        try:
            yield
        finally:
            gpu.tape = None

    cuda = {
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "set_device": lambda index: None,
        "get_device_name": lambda: "pretended",
        "get_device_properties": lambda index: mock.Mock(uuid="pretended"),
        "synchronize": lambda: None,
        "Stream": _Stream,
        "current_stream": _Stream,
        "stream": lambda stream: contextlib.nullcontext(),
        "CUDAGraph": Graph,
        "graph": record,
    }
    with (
        mock.patch.multiple(torch.cuda, **cuda),
        mock.patch("torch.autocast", lambda kind, *args, **kwargs: autocast("cpu", *args, **kwargs)),
        _Devices(gpu),
        _Operations(gpu),
    ):
        yield gpu
