"""What one epoch of a training has to report."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Epoch:
    """One pass over the training split, and the updated model's figures.

    `metrics` by "<split>_<metric>": train_loss, train_accuracy, val_loss, val_accuracy, ... of the model in
    evaluation mode over the whole split; train_step_loss, the mean loss of the steps with their noise;
    train_gradient_norm, the length of the last step's gradient; train_seconds, what the steps alone took; and
    on a GPU train_peak_bytes, the most memory that tensors have held since the training began.
    """

    number: int  # from 1
    metrics: Mapping[str, float]
    seconds: float  # with evaluation
