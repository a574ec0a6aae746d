"""Builds the network that `task.options.backbone` names."""

from collections.abc import Sequence

from torch import nn

from search_spaces import TaskSpec, TrialConfig
from workers.tasks.backbones.convolutional import FILTERS, convolutional
from workers.tasks.backbones.dense import dense
from workers.tasks.backbones.recurrent import recurrent
from workers.tasks.backbones.residual import residual
from workers.tasks.backbones.tokens import Tokens
from workers.tasks.backbones.transformer import transformer
from workers.tasks.options import name_option

BACKBONES = ("paper", "resnet", "transformer", "lstm", "gru", "mlp")


def backbone_option(spec: TaskSpec, offered: Sequence[str]) -> str:
    """The backbone that the study asks for, the paper's where the study does not set it.

    Raises:
        InvalidOptions: it is none of those `offered` by the task.
    """
    return name_option(spec, "backbone", default="paper", names=offered)


def build_backbone(
    name: str,
    shape: tuple[int, int, int],
    classes: int,
    config: TrialConfig,
    *,
    tokens: type[Tokens],
    filters: tuple[int, int] = FILTERS,
) -> nn.Sequential:
    """One of BACKBONES, from images (B, C, H, W) of `shape` to logits (B, classes).

    `tokens` cuts such an image into the tokens of a sequence; `filters` are those of the paper's network.
    """
    match name:
        case "paper":
            return convolutional(shape, classes, config, filters)
        case "resnet":
            return residual(shape, classes, config)
        case "mlp":
            return dense(shape, classes, config)
        case "transformer":
            return transformer(tokens(shape), classes, config)
        case _:
            return recurrent(name, tokens(shape), classes, config)
