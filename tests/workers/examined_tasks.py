"""Small tasks of a user's own, whose models a study examines."""

import time
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from search_spaces import TrialConfig
from workers.tasks import InputSet, Splits, Task
from workers.tasks.metrics import multi_label


class Classes(Task):
    """Three noisy classes of points in the plane, 64 to train, 48 to validate and 150 to test.

    `options.seconds` is how long an epoch lasts at least, `options.set_seconds` how long it takes to make a set.
    """

    def load(self, device: torch.device) -> Splits:
        generator = torch.Generator().manual_seed(1)
        y = torch.arange(262) % 3
        x = torch.stack([y.cos(), y.sin()], 1) + 0.3 * torch.randn(262, 2, generator=generator)
        x, y = x.to(device), y.to(device)
        return Splits(x[:64], y[:64], x[64:112], y[64:112], x[112:], y[112:])

    def build(self, config: TrialConfig) -> nn.Module:
        model = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.ReLU())
        model.add_module("slot", nn.Linear(8, 8))
        return model.extend([nn.ReLU(), nn.Linear(8, 3)])

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        time.sleep(float(self.spec.options.get("seconds", 0)) / 2)
        return super().metrics(outputs, targets)

    def out_of_distribution(self, name: str, device: torch.device) -> Sequence[InputSet]:
        if name == "shift":
            test = self.splits(device)
            assert test.test_x is not None
            return [InputSet(f"shift_{k}", "shift", k, test.test_x * (1.0 + k), test.test_y) for k in (1, 2)]
        if name == "far":
            time.sleep(float(self.spec.options.get("set_seconds", 0)))
            return [InputSet("far", "far", 0, 5.0 + self.splits(device).val_x, None)]
        return super().out_of_distribution(name, device)


class Renamed(Classes):
    """Calls its sets otherwise than the study does."""

    def out_of_distribution(self, name: str, device: torch.device) -> Sequence[InputSet]:
        return [InputSet("strange", "far", 0, self.splits(device).val_x, None)]


class Numbers(Classes):
    """Says nothing of its outputs."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.cross_entropy(outputs, targets)


class Labels(Classes):
    """Says of each point whether it lies right of 0, and whether above."""

    outputs = "sigmoid"  # type: ignore[assignment]

    def load(self, device: torch.device) -> Splits:
        data = super().load(device)
        assert isinstance(data.train_x, Tensor)
        assert isinstance(data.val_x, Tensor)
        assert isinstance(data.test_x, Tensor)
        train, val, test = ((x > 0).float() for x in (data.train_x, data.val_x, data.test_x))
        return Splits(data.train_x, train, data.val_x, val, data.test_x, test)

    def build(self, config: TrialConfig) -> nn.Module:
        model = nn.Sequential(nn.Linear(2, 8), nn.ReLU())
        model.add_module("slot", nn.Linear(8, 2))
        return model

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.binary_cross_entropy_with_logits(outputs, targets)

    def combined(self, outputs: Tensor) -> Tensor:
        yes, no = (nn.functional.logsigmoid(sign * outputs).logsumexp(0) for sign in (1, -1))
        return yes - no

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        return multi_label(outputs, targets)
