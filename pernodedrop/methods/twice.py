"""Forward passes whose gradients have gradients."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

_WITHOUT = {"NotImplemented", "Error", "CompiledFunctionBackwardBackward"}  # nodes that fail in a backward pass
_RECURRENCES = {"lstm", "gru", "rnn_tanh", "rnn_relu"}  # torch's functions


@contextmanager
def differentiable_twice(device: torch.device) -> Iterator[None]:
    """Within it a model runs without what torch has fused and cannot differentiate twice.

    Attention multiplies matrices, recurrences do without cuDNN, and a compiled model runs uncompiled.
    """
    with ExitStack() as stack:
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        if device.type == "cuda":
            stack.enter_context(_WithoutCudnn())
        if "torch._dynamo" in sys.modules:  # whose import takes seconds; a compiled model has done it
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        yield


class _WithoutCudnn(TorchFunctionMode):
    """Recurrences run torch's own kernels."""

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if getattr(func, "__name__", "") not in _RECURRENCES:
            return func(*args, **(kwargs or {}))
        with torch.backends.cudnn.flags(enabled=False):
            return func(*args, **(kwargs or {}))


def check_differentiable(term: Tensor, name: str) -> None:
    """Walk the graph of a regularizer's term that has gradients in it.

    Raises:
        ValueError: a function of the model has no second derivative; torch's own words name it where they can.
    """
    if not any(node.name().rpartition("::")[2] in _WITHOUT for node in _nodes(term)):
        return
    try:
        torch.autograd.grad(term, leaves_of(term), retain_graph=True, allow_unused=True)
    except RuntimeError as error:
        said = str(error).partition("\n")[0]
        raise ValueError(
            f"{name} needs second derivatives, and a function of the model has none ({said}): "
            "replace the function, or search another regularizer"
        ) from error


def leaves_of(term: Tensor) -> list[Tensor]:
    """The tensors to which the backward pass of a term would give a gradient."""
    found = (getattr(node, "variable", None) for node in _nodes(term) if node.name().endswith("AccumulateGrad"))
    return list(dict.fromkeys(leaf for leaf in found if isinstance(leaf, Tensor)))


def _nodes(term: Tensor) -> Iterator[Node]:
    waiting, met = [term.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is not None and node not in met:
            met.add(node)
            yield node
            waiting += [following for following, _ in node.next_functions]
