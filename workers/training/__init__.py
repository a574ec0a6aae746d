"""The training loop: a task, a configuration and a seed in, epochs out. It knows neither queue nor Optuna."""

from workers.training.loop import Epoch, NoTestSplit, Training
from workers.training.losses import NonFiniteLoss

__all__ = ["Epoch", "NoTestSplit", "NonFiniteLoss", "Training"]
