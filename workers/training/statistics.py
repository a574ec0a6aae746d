"""Running statistics of a model, such as those of batch normalization, in steps of several passes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _NormBase


def with_statistics(model: nn.Module) -> list[_NormBase]:
    """The model's modules that keep running statistics."""
    return [module for module in model.modules() if isinstance(module, _NormBase) and module.running_mean is not None]


@contextmanager
def kept(modules: Sequence[_NormBase]) -> Iterator[None]:
    """Within it passes in training mode leave the running statistics of these modules as they are."""
    before = [(module.momentum, module.num_batches_tracked) for module in modules]
    for module in modules:
        module.momentum = 0.0
        if module.num_batches_tracked is not None:
            module.num_batches_tracked = module.num_batches_tracked.clone()
    try:
        yield
    finally:
        for module, (momentum, tracked) in zip(modules, before, strict=True):
            module.momentum, module.num_batches_tracked = momentum, tracked
