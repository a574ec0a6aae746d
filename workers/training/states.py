"""Copies of a model's state, and a model that has one of them for a while."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor, nn

State = Mapping[str, Tensor]


def copied(model: nn.Module) -> State:
    """The model's parameters and buffers as they are, on its device."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


@contextmanager
def kept(model: nn.Module) -> Iterator[None]:
    """Give the model its own state back afterwards, whatever is loaded into it meanwhile."""
    own = copied(model)
    try:
        yield
    finally:
        model.load_state_dict(own)
