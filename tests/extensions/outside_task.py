"""A task with a name that somebody else's distribution brings."""

import torch
from torch import nn

from search_spaces import BuiltInTask, Samples, TrialConfig
from workers.tasks import Splits, Task


class Quadrants(Task):
    """The quadrant of the plane that a point lies in."""

    def load(self, device: torch.device) -> Splits:
        x = torch.randn(300, 2, generator=torch.Generator().manual_seed(4)).to(device)
        y = (x[:, 0] > 0).long() + 2 * (x[:, 1] > 0).long()
        size = self.spec.train_size or 200
        return Splits(x[:size], y[:size], x[200:], y[200:])

    def build(self, config: TrialConfig) -> nn.Module:
        model = nn.Sequential()
        model.add_module("slot", nn.Linear(2, config.units))
        return model.extend([nn.ReLU(), nn.Linear(config.units, 4)])


QUADRANTS = BuiltInTask("tests.extensions.outside_task:Quadrants", small=Samples(50), medium=Samples(100, 20))
