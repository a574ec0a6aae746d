"""A task whose large learning rates fail as trainings do: with words on both streams, and a traceback."""

import sys

import torch
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

from search_spaces import TrialConfig
from workers.tasks import Splits, Task

STEEPEST = 0.05  # learning rate


class Wines(Task):
    """Three growers told apart by 13 measured features of their wines."""

    def load(self, device: torch.device) -> Splits:
        x, y = load_wine(return_X_y=True)
        x, test_x, y, test_y = train_test_split(x, y, test_size=0.2, stratify=y, random_state=0)
        train_x, val_x, train_y, val_y = train_test_split(x, y, test_size=0.25, stratify=y, random_state=0)
        mean, deviation = train_x.mean(axis=0), train_x.std(axis=0)

        def tensors(x, y):
            x = torch.tensor((x - mean) / deviation, dtype=torch.float32, device=device)
            return x, torch.tensor(y, device=device)

        return Splits(*tensors(train_x, train_y), *tensors(val_x, val_y), *tensors(test_x, test_y))

    def build(self, config: TrialConfig) -> nn.Module:
        print(f"building a network of {config.units} units")
        if config.learning_rate > STEEPEST:
            print("warning: this learning rate is steep", file=sys.stderr)
            check_steps(config)
        model = nn.Sequential()
        model.add_module("slot", nn.Linear(13, config.units))
        return model.extend([nn.ReLU(), nn.Linear(config.units, 3)])

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.cross_entropy(outputs, targets)

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        return {"accuracy": (outputs.argmax(dim=1) == targets).double().mean()}


def check_steps(config: TrialConfig) -> None:
    """Raises ArithmeticError."""
    raise ArithmeticError(f"steps of {config.learning_rate:.3g} leave the basin: choose at most {STEEPEST}")
