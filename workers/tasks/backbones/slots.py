"""The regularizer slots of a network: its dense layers of the name `slot`."""

from typing import TypeVar

from torch import nn

from pernodedrop import regularize
from search_spaces import TrialConfig

Model = TypeVar("Model", bound=nn.Module)

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


def with_regularizer(model: Model, config: TrialConfig) -> Model:
    """The model with the trial's regularizer in each of its slots, in place.

    To be called when all weights are drawn: the masks that some variants draw here come after them, so that with
    the same seed every variant starts from the same weights.
    """
    regularize(
        model,
        config.regularizer,
        lambda name, _: name.rpartition(".")[2] == "slot",
        drop_rate=config.drop_rate,
        stir_type=config.stir_type,
        mask_mode=config.mask_mode,
        noisy_fraction=config.noisy_fraction,
    )
    return model


def activation(config: TrialConfig) -> nn.Module:
    """The function behind the slot."""
    return _ACTIVATIONS[config.activation]()
