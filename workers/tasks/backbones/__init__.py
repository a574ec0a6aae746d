"""The networks of the built-in tasks, each with slots for the trial's regularizer."""

from workers.tasks.backbones.choice import BACKBONES, backbone_option, build_backbone
from workers.tasks.backbones.convolutional import FILTERS
from workers.tasks.backbones.text import text_backbone
from workers.tasks.backbones.tokens import Frames, Patches, Rows, Tokens

__all__ = [
    "BACKBONES",
    "FILTERS",
    "Frames",
    "Patches",
    "Rows",
    "Tokens",
    "backbone_option",
    "build_backbone",
    "text_backbone",
]
