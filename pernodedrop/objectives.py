"""What a training step minimizes, where it is more than the loss of one forward pass."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

# What the outputs are to the loss: logits of one class of several, a logit of every label, or numbers whose squared
# error counts.
Outputs = Literal["softmax", "sigmoid", "squared"]


@dataclass(frozen=True)
class Step:
    """One step of a training, as a regularizer sees it.

    `forward` gives the model's outputs (B, ...) for the step's batch, in single precision, with fresh noise at each
    call. Only the first call of a step may move running statistics, such as batch normalization's: moved as often as
    there are passes, they would be ahead of those of methods with one. `loss` maps such outputs to the mean loss over
    the batch, a scalar.
    """

    forward: Callable[[], Tensor]
    loss: Callable[[Tensor], Tensor]
    outputs: Outputs | None  # None: the task does not say
    samples: int  # of the whole training split
    done: float  # the share of the training's steps before this one, in [0, 1)

    def require_outputs(self, name: str) -> Outputs:
        """What the outputs are; raises ValueError where the task of a regularizer of this name does not say."""
        if self.outputs is None:
            raise ValueError(
                f"{name} needs to know what the model's outputs are, and the task has a loss of its own: "
                'give the task outputs = "softmax", "sigmoid" or "squared"'
            )
        return self.outputs


# The scalar to minimize in a step; noise in the gradient is a term whose value is 0: term - term.detach().
Objective = Callable[[Step], Tensor]

# Changes the gradients that the optimizer's parameters hold, in the step of this number (from 0), after the backward
# pass and before the optimizer's step. Draws from torch's global generator repeat with the training's seed.
GradientNoise = Callable[[Sequence[nn.Parameter], int], None]
