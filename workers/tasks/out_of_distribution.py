"""Sets of inputs that a task's training never showed, to ask a model what it does not know."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from workers.tasks.seams import Inputs


@dataclass(frozen=True)
class InputSet:
    """Inputs out of the training's distribution, on one device.

    `kind` is "shift" for inputs of the task that were spoiled, "semantic" for classes that the training left out, and
    "far" for inputs of another task.
    """

    name: str  # "held_out", "gaussian_noise_3": letters, digits and _
    kind: Literal["shift", "semantic", "far"]
    level: int  # 1 to 5 of a shift, 5 the strongest; else 0
    x: Inputs  # (N, ...), as the model takes them
    y: Tensor | None  # (N, ...); None where no label of the model's fits: semantic, far
