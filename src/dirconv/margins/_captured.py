"""A function of tensors as a CUDA graph: its kernels are recorded once and replayed."""

from __future__ import annotations

import os
from collections.abc import Callable

import torch
from torch import Tensor

WARM_UP = 3  # calls before recording: cuDNN chooses its algorithms and libraries set up their workspaces


class Captured:
    """`function`, as a CUDA graph for every combination of argument shapes; on a CPU, `function` itself.

    A small batch's kernels take longer to launch than to run, and a DenseNet has thousands of them a step. The function
    may use its arguments and tensors that stay at their address, and must not wait for the device. The next call
    overwrites its result. The environment variable DIRCONV_CUDA_GRAPHS=0 turns recording off.
    """

    def __init__(self, function: Callable[..., Tensor]) -> None:
        self._function = function
        self._graphs: dict[tuple, tuple[tuple[Tensor, ...], torch.cuda.CUDAGraph, Tensor]] = {}

    def __call__(self, *arguments: Tensor) -> Tensor:
        if arguments[0].device.type != "cuda" or os.environ.get("DIRCONV_CUDA_GRAPHS") == "0":
            return self._function(*arguments)
        key = tuple((argument.shape, argument.dtype) for argument in arguments)
        if key not in self._graphs:
            self._graphs[key] = self._record(arguments)
        places, graph, result = self._graphs[key]
        for place, argument in zip(places, arguments, strict=True):
            place.copy_(argument)
        graph.replay()
        return result

    def _record(self, arguments: tuple[Tensor, ...]) -> tuple[tuple[Tensor, ...], torch.cuda.CUDAGraph, Tensor]:
        places = tuple(argument.detach().clone() for argument in arguments)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self._function(*places)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = self._function(*places)
        return places, graph, result
