"""The points where a task may change the training loop. Unused ones cost nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from pernodedrop.passes import Passes
from workers.tasks.structure import Batch

# The mean loss of a training batch, a scalar, from the model itself: replaces one forward pass and the task's loss.
Objective = Callable[[nn.Module, Batch, Tensor], Tensor]

# A scalar that is added to the loss of a training batch, from the model, its inputs and its outputs.
Penalty = Callable[[nn.Module, Batch, Tensor], Tensor]

# Changes the gradient that the model holds, after the backward pass of the step of this number (from 0) and before the
# optimizer's step. Draws from torch's global generator repeat with the training's seed.
GradientNoise = Callable[[nn.Module, int], None]

# A number as a function of the share of the training's steps that are done, in [0, 1).
Schedule = Callable[[float], float]


@dataclass(frozen=True)
class Seams:
    """The changes of a task for one trial.

    `schedules` are by the number's name: learning_rate, momentum, gradient_clip, label_smoothing or drop_rate; they
    override those of the study. Keep the state of a layer's masks in its buffers: every checkpoint has them, and a
    resumed training continues with them bit for bit.

    Raises:
        ValueError: an objective and a penalty are given: an objective includes its penalty.
    """

    objective: Objective | None = None
    penalty: Penalty | None = None
    gradient_noise: GradientNoise | None = None
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    passes: Passes | None = None  # of evaluation; None: the regularizer's own

    def __post_init__(self) -> None:
        if self.objective is not None and self.penalty is not None:
            raise ValueError("a task must give an objective or a penalty, got both: add the penalty in the objective")
