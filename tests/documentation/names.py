"""What examples are given that begin in the middle: a model and its data."""

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn

import pernodedrop


class Model(nn.Module):
    """A small classifier with the names that the pages use."""

    def __init__(self) -> None:
        super().__init__()
        layer = OrderedDict(linear1=nn.Linear(16, 16), act=nn.ReLU())
        self.encoder = nn.ModuleList([nn.Sequential(layer)])
        self.classifier = nn.Linear(16, 8)
        self.noise = nn.Dropout(0.2)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.encoder:
            x = layer(x)
        return self.head(self.noise(self.classifier(x)))


def given(names: list[str]) -> dict[str, Any]:
    """The objects of these names, made anew; whatever `pernodedrop` exports is there under its name."""
    torch.manual_seed(0)
    there = {"torch": torch, "model": Model(), "x": torch.randn(12, 16), "y": torch.arange(12) % 3}
    return {name: there[name] if name in there else getattr(pernodedrop, name) for name in names}
