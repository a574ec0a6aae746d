"""An optimizer of one's own: sharpness-aware minimization (Foret et al. 2021, arXiv:2010.01412) around AdamW."""

from collections.abc import Callable
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.optim import AdamW, Optimizer

from search_spaces import TrialConfig
from workers.tasks import Splits, Task


class Sam(Optimizer):
    """A step by the gradient at the worst point near by, at the distance `radius`."""

    needs_closure = True  # the training gives `step` a function that computes the batch's gradient anew

    def __init__(self, parameters: Any, radius: float, **options: Any) -> None:
        self.inside = AdamW(parameters, **options)  # its state is in every checkpoint too
        super().__init__(self.inside.param_groups, {"radius": radius})
        self.inside.param_groups = self.param_groups

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        assert closure is not None
        for group in self.param_groups:
            learning = [p for p in group["params"] if p.grad is not None]
            length = torch.nn.utils.get_total_norm([p.grad for p in learning])
            for p in learning:
                self.state[p]["before"] = p.clone()
                p.add_(p.grad * (group["radius"] / (length + 1e-12)))
        closure()
        for p, state in self.state.items():
            p.copy_(state["before"])
        self.inside.step()


class Digits(Task):
    def load(self, device: torch.device) -> Splits:
        images, labels = load_digits(return_X_y=True)
        x = torch.tensor(images / 16, dtype=torch.float32, device=device)
        y = torch.tensor(labels, device=device)
        return Splits(x[:1000], y[:1000], x[1000:1400], y[1000:1400], x[1400:], y[1400:])

    def build(self, config: TrialConfig) -> nn.Module:
        model = nn.Sequential()
        model.add_module("slot", nn.Linear(64, config.units))
        return model.extend([nn.ReLU(), nn.Linear(config.units, 10)])

    def optimizer(self, model: nn.Module, config: TrialConfig) -> Optimizer:
        first, *others = model.parameters()
        groups = [
            {"params": [first], "lr": 0.5 * config.learning_rate},  # a schedule keeps this ratio
            {"params": others, "lr": config.learning_rate},
        ]
        return Sam(groups, radius=config.extra.get("radius", 0.05))  # a dimension of this task's own
