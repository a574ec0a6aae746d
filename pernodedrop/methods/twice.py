"""Forward passes whose gradients have gradients."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
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


class BagsByRows(TorchFunctionMode):
    """Sums of embeddings are added row by row: torch's own have no second derivative, and other rounding errors."""

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is nn.functional.embedding_bag and kwargs.get("mode") == "sum" and kwargs.get("include_last_offset"):
            return _summed_rows(*args, **kwargs)
        return func(*args, **kwargs)


def _summed_rows(
    columns: Tensor, weight: Tensor, offsets: Tensor, *, per_sample_weights: Tensor | None = None, **_: Any
) -> Tensor:
    """The sums (B, J) of the rows of weight (F, J) in `columns` (nnz,), from offsets[b] (B + 1,) to the next."""
    lengths = offsets.diff()
    bag = torch.repeat_interleave(torch.arange(len(lengths), device=columns.device), lengths)
    rows = weight[columns]  # nnz, J
    rows = rows if per_sample_weights is None else rows * per_sample_weights.unsqueeze(-1)
    return rows.new_zeros(len(lengths), weight.shape[1]).index_add(0, bag, rows)


def check_differentiable(term: Tensor, name: str) -> None:
    """Walk the graph of a regularizer's term that has gradients in it.

    Raises:
        ValueError: a function of the model has no second derivative; torch's own words name it where they can.
    """
    failure = failure_of(term)
    if failure is not None:
        raise ValueError(
            f"{name} needs second derivatives, and a function of the model has none ({said_by(failure)}): "
            "replace the function, or search another regularizer"
        ) from failure


def failure_of(term: Tensor) -> RuntimeError | None:
    """The error of a backward pass of a term that has gradients in it; None: there is none.

    A backward pass to chosen tensors may leave out the failing function, and its gradients are wrong then.
    """
    if not any(node.name().rpartition("::")[2] in _WITHOUT for node in _nodes(term)):
        return None
    try:
        torch.autograd.grad(term, leaves_of(term), retain_graph=True, allow_unused=True)
    except RuntimeError as error:
        return error
    return None


def said_by(error: RuntimeError) -> str:
    """The first line of torch's words."""
    return str(error).partition("\n")[0]


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


def without_second_derivative(model: nn.Module, x: object) -> str | None:
    """The innermost module of the model that cannot be differentiated twice, on the way of input x; None: each can."""
    seen: dict[nn.Module, tuple[tuple[Any, ...], dict[str, Any]]] = {}

    def note(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        seen.setdefault(module, (args, kwargs))

    hooks = [module.register_forward_pre_hook(note, with_kwargs=True) for module in model.modules()]
    try:
        with torch.no_grad(), differentiable_twice(next(model.parameters()).device), BagsByRows():
            model(x)
    finally:
        for hook in hooks:
            hook.remove()
    for name, module in reversed(list(model.named_modules())):  # what a module holds comes before it
        if module in seen and not _can_twice(module, *seen[module]):
            kind = type(module).__name__
            return f"module {name!r}, a {kind}," if name else f"the model's own forward, of {kind},"
    return None


def _can_twice(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    fresh = tuple(_leaf(value) for value in args)
    named = {name: _leaf(value) for name, value in kwargs.items()}
    leaves = [p for p in (*module.parameters(), *fresh, *named.values()) if isinstance(p, Tensor) and p.requires_grad]
    if not leaves:
        return True
    with torch.enable_grad(), differentiable_twice(leaves[0].device), BagsByRows():
        bent = [output.square().sum() for output in _tensors(module(*fresh, **named)) if output.requires_grad]
        if not bent:
            return True
        once = torch.autograd.grad(
            torch.stack(bent).sum(), leaves, create_graph=True, allow_unused=True, materialize_grads=True
        )
    slopes = [part.sum() for part in once if part.requires_grad]
    return not slopes or failure_of(torch.stack(slopes).sum()) is None


def _leaf(value: Any) -> Any:
    if isinstance(value, Tensor) and value.is_floating_point():
        return value.detach().clone().requires_grad_()
    return value


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from _tensors(tuple(value.values()))
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _tensors(each)
