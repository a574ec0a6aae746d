"""The paper's backbone for documents (arXiv:2512.12663)."""

from collections import OrderedDict

from torch import nn

from search_spaces import TrialConfig
from workers.tasks.backbones.activations import activation
from workers.tasks.sparse_linear import SparseLinear

HIDDEN = 1024  # units of the dense layer before the slots


def text_backbone(words: int, topics: int, config: TrialConfig) -> nn.Sequential:
    """Sparse documents (B, words) to logits (B, topics): a dense layer, two slots, the logits.

    The slots have 2 `config.units` and `config.units` units: 128 units give the paper's network, 256 and 128.
    Weights start as in Keras, which the paper used: with torch's smaller ones the model learns an epoch later, and the
    best epoch is the third.
    """
    parts = OrderedDict(
        hidden=nn.Sequential(SparseLinear(words, HIDDEN), nn.ReLU()),
        wide=_slot(HIDDEN, 2 * config.units, config),
        narrow=_slot(2 * config.units, config.units, config),
        logits=nn.Linear(config.units, topics),
    )
    model = nn.Sequential(parts)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)
        else:
            nn.init.zeros_(parameter)
    return model


def _slot(features: int, units: int, config: TrialConfig) -> nn.Sequential:
    return nn.Sequential(OrderedDict(slot=nn.Linear(features, units), activation=activation(config)))
