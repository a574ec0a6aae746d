"""The backbones of the built-in tasks, with their regularizer slots (arXiv:2512.12663)."""

from collections import OrderedDict
from math import prod

import torch
from torch import nn

from pernodedrop import regularized_linear
from search_spaces import TrialConfig
from workers.tasks.sparse_linear import SparseLinear

HIDDEN = 64  # units of the dense layer behind the slot
FILTERS = (32, 64)  # of the two convolutional blocks
TEXT_HIDDEN = 1024  # units of the dense layer in front of the slots

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


def image_backbone(
    shape: tuple[int, int, int], classes: int, config: TrialConfig, filters: tuple[int, int] = FILTERS
) -> nn.Sequential:
    """Images (B, C, H, W) of `shape` (C, H, W) to logits (B, classes).

    Two blocks of 'same' convolution and pooling, the slot with `config.units` units and its activation, a
    dense layer, the logits. The slot is built last: with the same seed every variant starts from the same
    weights everywhere else.
    """
    channels, height, width = shape
    first, second = filters
    flat = prod((second, height // 4, width // 4))
    features = nn.Sequential(*_block(channels, first), *_block(first, second), nn.Flatten())
    # The images come in channels_last, which runs the convolutions twice as fast on a CPU.
    features.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in the stubs
    hidden = nn.Sequential(nn.Linear(config.units, HIDDEN), nn.ReLU())
    logits = nn.Linear(HIDDEN, classes)
    slot = regularizer_slot(flat, config.units, config)
    activation = _ACTIVATIONS[config.activation]()
    return nn.Sequential(OrderedDict(features=features, slot=slot, activation=activation, hidden=hidden, logits=logits))


def text_backbone(words: int, topics: int, config: TrialConfig) -> nn.Sequential:
    """Sparse documents (B, words) to logits (B, topics): a dense layer, two slots, the logits.

    The slots have 2 `config.units` and `config.units` units: 128 units make the paper's network, 256 and 128.
    Weights start as in Keras, which the paper used: torch's smaller ones learn an epoch later, where the best is
    reached in three. With the same seed every variant starts from the same weights, in the slots as well.
    """
    start = torch.Generator().manual_seed(int(torch.randint(2**62, ()).item()))
    hidden = nn.Sequential(SparseLinear(words, TEXT_HIDDEN), nn.ReLU())
    logits = nn.Linear(config.units, topics)
    activation = _ACTIVATIONS[config.activation]
    wide = nn.Sequential(regularizer_slot(TEXT_HIDDEN, 2 * config.units, config), activation())
    narrow = nn.Sequential(regularizer_slot(2 * config.units, config.units, config), activation())
    model = nn.Sequential(OrderedDict(hidden=hidden, wide=wide, narrow=narrow, logits=logits))
    for parameter in model.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter, generator=start)
        else:
            nn.init.zeros_(parameter)
    return model


def regularizer_slot(in_features: int, units: int, config: TrialConfig) -> nn.Module:
    """The dense layer (`in_features` to `units` features) with the trial's regularizer."""
    return regularized_linear(
        config.regularizer,
        in_features,
        units,
        drop_rate=config.drop_rate,
        stir_type=config.stir_type,
        mask_mode=config.mask_mode,
        noisy_fraction=config.noisy_fraction,
    )


def _block(channels: int, filters: int) -> tuple[nn.Module, ...]:
    # Pooling before the ReLU gives the same values as after it, from a quarter of the work.
    return nn.Conv2d(channels, filters, 3, padding="same"), nn.MaxPool2d(2), nn.ReLU()
