"""CUDA graphs: what a call does to the GPU, recorded once and replayed without the processor's work."""

from collections.abc import Callable
from typing import TypeVar

import torch

from benchmarks.gpu.findings import NotHere

_WARM_UP = 3  # calls before a recording: libraries load their code and take their workspaces
T = TypeVar("T")


def need_gpu(device: torch.device) -> None:
    """Raises NotHere where no CUDA graph can be."""
    if device.type != "cuda":
        raise NotHere("CUDA graphs need a GPU")


def record(call: Callable[[], T]) -> tuple[torch.cuda.CUDAGraph, T]:
    """Record the call on a stream of its own; returns the graph, and what a replay overwrites.

    Warm-up and recording share the stream: gradients are summed up on the stream that a weight was first used on.
    """
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # of torch
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(_WARM_UP):
            call()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        result = call()
    return graph, result
