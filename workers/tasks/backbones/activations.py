"""The activation functions that a study may choose."""

from torch import nn

from search_spaces import TrialConfig

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "identity": nn.Identity,
}


def activation(config: TrialConfig) -> nn.Module:
    """The activation after the slot."""
    return _ACTIVATIONS[config.activation]()
