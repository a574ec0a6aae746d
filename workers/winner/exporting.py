"""Writes a winner's model as a program that needs none of this package: torch.export's .pt2, or ONNX."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn

from workers.tasks.inputs import mapped, zeros_of
from workers.winner.loading import Winner
from workers.winner.reading import BadWinner


def example(winner: Winner) -> Any:
    """Two inputs as the model takes them, all zeros, on its device.

    Raises:
        BadWinner: its inputs are sparse, which no exported program takes.
    """
    if winner.input is None:
        raise BadWinner(f"the inputs of task {winner.task.spec.name} are sparse, which no exported program takes")
    device = next((parameter.device for parameter in winner.model.parameters()), torch.device("cpu"))
    return zeros_of(winner.input, 2, device)


def any_size(inputs: Any) -> Any:
    """What torch.export is told of such inputs: that their first dimension, the samples, may have any size."""
    return mapped(inputs, lambda _: {0: torch.export.Dim.DYNAMIC})


def write_pt2(winner: Winner, path: Path) -> None:
    """Write the model as a program of torch.export, whose batch may have any size."""
    inputs = (example(winner),)
    with _contiguous(winner.model):
        try:
            program = torch.export.export(winner.model, inputs, dynamic_shapes=any_size(inputs))
        except Exception as error:  # a user's model may do anything
            raise BadWinner(f"torch.export cannot write this model: {_line(error)}") from error
        torch.export.save(program, path)


def write_onnx(winner: Winner, path: Path) -> None:
    """Write the model as ONNX, whose batch may have any size."""
    missing = [name for name in ("onnx", "onnxscript") if find_spec(name) is None]
    if missing:
        raise BadWinner(f"ONNX needs {' and '.join(missing)}, not installed here: pip install onnx onnxscript")
    inputs = (example(winner),)
    with _contiguous(winner.model):
        try:
            torch.onnx.export(winner.model, inputs, path, dynamo=True, dynamic_shapes=any_size(inputs), verbose=False)
        except Exception as error:
            raise BadWinner(f"torch.onnx cannot write this model: {_line(error)}") from error


FORMATS: Mapping[str, Callable[[Winner, Path], None]] = {"pt2": write_pt2, "onnx": write_onnx}


@contextmanager
def _contiguous(model: nn.Module) -> Iterator[None]:
    """Within it the model's tensors lie in memory as files have them, with the first dimension outermost."""
    tensors = [*model.parameters(), *model.buffers()]
    earlier = [tensor.data for tensor in tensors]
    try:
        for tensor in tensors:
            tensor.data = tensor.data.contiguous()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of its own LSTM, whose list of weights it sets while it runs
            yield
    finally:
        for tensor, data in zip(tensors, earlier, strict=True):
            tensor.data = data


def _line(error: Exception) -> str:
    return (str(error).strip().partition("\n")[0] or type(error).__name__)[:200]
