"""A transformer encoder (Vaswani et al. 2017) with the slots in its feed-forward layers."""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from search_spaces import TrialConfig
from workers.tasks.backbones.activations import activation
from workers.tasks.backbones.tokens import Tokens

WIDTH, HEADS, BLOCKS = 64, 4, 2
POSITION_DEVIATION = 0.02  # of the position vectors at the start, as in BERT and ViT


def transformer(tokens: Tokens, classes: int, config: TrialConfig) -> nn.Sequential:
    """The inputs of `tokens` to logits (B, classes).

    Tokens are embedded and get learned position vectors, two blocks follow, the mean over the tokens, the logits.
    In each block a feed-forward layer widens to `config.units` features and the slot narrows them again, which
    puts Dropout where transformers have it. PerNodeDrop draws one mask a sample, Dropout afresh for every token;
    with `time_correlation` PerNodeDrop's mask changes from token to token.
    Both branches of a block end in a place "branch".
    """
    parts = OrderedDict(
        tokens=tokens,
        embedding=Embedding(tokens.features, tokens.length),
        blocks=nn.Sequential(*(Block(config) for _ in range(BLOCKS))),
        norm=nn.LayerNorm(WIDTH),
        mean=MeanOverTokens(),
        logits=nn.Linear(WIDTH, classes),
    )
    return nn.Sequential(parts)


class Embedding(nn.Module):
    """Tokens (B, T, F) to vectors (B, T, 64) with their position added."""

    def __init__(self, features: int, length: int) -> None:
        super().__init__()
        self.dense = nn.Linear(features, WIDTH)
        self.positions = nn.Parameter(torch.randn(length, WIDTH) * POSITION_DEVIATION)

    def forward(self, x: Tensor) -> Tensor:
        embedded: Tensor = self.dense(x)
        return embedded + self.positions


class Block(nn.Module):
    """x + attention(x), and to that its feed-forward layers, each after a normalization; (B, T, 64) to the same."""

    def __init__(self, config: TrialConfig) -> None:
        super().__init__()
        self.attention = nn.Sequential(nn.LayerNorm(WIDTH), Attention())
        self.attention.add_module("branch", nn.Identity())
        layers = OrderedDict(
            norm=nn.LayerNorm(WIDTH),
            wide=nn.Linear(WIDTH, config.units),
            activation=activation(config),
            slot=nn.Linear(config.units, WIDTH),
            branch=nn.Identity(),
        )
        self.feed_forward = nn.Sequential(layers)

    def forward(self, x: Tensor) -> Tensor:
        attended: Tensor = x + self.attention(x)
        outputs: Tensor = attended + self.feed_forward(attended)
        return outputs


class Attention(nn.Module):
    """Self-attention with 4 heads; (B, T, 64) to the same.

    `asked` is the projection to queries, keys and values, `mixed` the output projection: checkpoints have these names.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked = nn.Linear(WIDTH, 3 * WIDTH)
        self.mixed = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.asked(x).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)  # each B, 4, T, 16
        attended = nn.functional.scaled_dot_product_attention(query, key, value)
        mixed: Tensor = self.mixed(attended.transpose(1, 2).flatten(2))
        return mixed


class MeanOverTokens(nn.Module):
    """(B, T, F) to (B, F)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=1)
